"""The readable part of a damaged recording is saved, whatever the damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_viewer.recording import salvage
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.recover import recover
from compute.errors import RecordingError

from helpers.damaged_recordings import damage
from helpers.make_recordings import (
    HEAD,
    OPTIONS,
    PROMPT_TOKENS,
    TENSORS,
    StepCapture,
    draw,
    make_session,
    step,
    token_bytes,
)
from helpers.patience import wait_until


def recorded_steps(path: Path) -> list[object]:
    with Recording(path) as recording:
        return [known.record for known in recording.steps(recording.run())]


@pytest.mark.parametrize(
    ("steps", "share", "least"), [(60, 0.5, 60), (200, 0.8, 100), (200, 0.97, 200), (700, 0.5, 200)]
)
def test_a_truncated_file_is_recovered(tmp_path: Path, steps: int, share: float, least: int) -> None:
    path, target = make_session(tmp_path / "a.atlas", steps=steps), tmp_path / "b.atlas"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RecordingError, match=r"malformed.*session recover"):
        Recording(path)
    found = recover(path, target)
    assert found.lost
    assert found.steps >= least
    with Recording(target) as recording:
        kept = [known.record for known in recording.steps(recording.run())]
        assert len(kept) == found.steps
        assert kept[:40] == [step(index) for index in range(40)]
        assert [known.token for known in kept] == [step(index).token for index in range(len(kept))]
        if share > 0.7:
            assert recording.logits(recording.run(), 0) is not None


def test_steps_in_the_log_are_recovered(tmp_path: Path) -> None:
    path, other, target = tmp_path / "a.atlas", tmp_path / "c.atlas", tmp_path / "b.atlas"
    recorder = Recorder(path, HEAD, TENSORS, token_bytes)
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    for index in range(20):
        recorder.step(step(index), draw(index), StepCapture(index))
    wait_until(lambda: recorder.steps_written >= 20 and not recorder.waiting, "20 steps are written")
    other.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    Path(f"{other}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    recorder.close()
    assert recover(other, target).steps == 20
    assert recorded_steps(target) == [step(index) for index in range(20)]


def two_runs(path: Path) -> Path:
    recorder = Recorder(path, HEAD, TENSORS, token_bytes)
    first = recorder.begin_run("a", PROMPT_TOKENS, OPTIONS)
    recorder.step(step(0), draw(0))
    recorder.step(step(1), draw(1))
    recorder.begin_run("a", [*PROMPT_TOKENS, step(0).token], OPTIONS, parent=first, fork_step=1)
    recorder.step(step(0), draw(0))
    recorder.close()
    return path


@pytest.mark.parametrize(
    ("statements", "runs", "steps", "lost"),
    [
        (["UPDATE options SET json = '{'"], 2, 3, "options of some steps"),
        (["DELETE FROM options"], 2, 3, "options of some steps"),
        (["UPDATE runs SET prompt_tokens = x'00' WHERE id = 1"], 1, 1, "run 1"),
        (["UPDATE runs SET logits = 'pickle' WHERE id = 2"], 1, 2, "run 2"),
        (["DELETE FROM runs WHERE id = 2"], 1, 2, "steps that belong to no run"),
        (["UPDATE steps SET run = run + 7"], 2, 0, "steps that belong to no run"),
        (["UPDATE candidates SET token = -3 WHERE run = 1 AND step = 1"], 2, 3, "candidates of 1 steps"),
        (["UPDATE session SET model = model || char(27), versions = '['"], 2, 3, "part of the head"),
        (["CREATE VIEW spy AS SELECT * FROM steps", "CREATE TABLE more (id INTEGER)"], 2, 3, None),
        (["CREATE TRIGGER spy AFTER INSERT ON steps BEGIN DELETE FROM steps; END"], 2, 3, None),
        (["CREATE INDEX more ON steps (token)"], 2, 3, None),
        (["DROP TABLE cameras"], 2, 3, "cameras"),
    ],
)
def test_damage_to_one_part_affects_no_other(
    tmp_path: Path, statements: list[str], runs: int, steps: int, lost: str | None
) -> None:
    path, target = damage(two_runs(tmp_path / "a.atlas"), *statements), tmp_path / "b.atlas"
    found = recover(path, target)
    assert (found.runs, found.steps) == (runs, steps)
    assert any(line.startswith(lost) for line in found.lost) if lost else not found.lost
    with Recording(target) as recording:
        assert recording.head.model == HEAD.model
        kept = recording.runs()
        assert sum(recording.count(run) for run in kept) == steps
        assert all(run.parent in (None, kept[0].id) for run in kept), "a lost parent is still referenced"
        for run in kept:
            for known in recording.steps(run):
                assert known.options.context >= known.record.context_length


def test_lost_token_texts_come_from_gpt_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        vocabulary = HEAD.config.vocabulary
        token_bytes = staticmethod(token_bytes)

    path, target = damage(make_session(tmp_path / "a.atlas", steps=4), "DELETE FROM tokens"), tmp_path / "b.atlas"
    found = recover(path, target)
    assert found.steps == 4
    assert "texts of" in found.lost[-1]
    with Recording(target) as recording:
        assert recording.steps(recording.run())[2].record.text == "\ufffd", "the text is unknown in another vocabulary"
    target.unlink()
    monkeypatch.setattr(salvage, "load_tokenizer", Known)
    assert recover(path, target).steps == 4
    assert recorded_steps(target) == [step(index) for index in range(4)]


def test_a_view_instead_of_a_table_is_refused(tmp_path: Path) -> None:
    path, target = make_session(tmp_path / "a.atlas"), tmp_path / "b.atlas"
    damage(path, "DROP TABLE cameras", "CREATE VIEW cameras AS SELECT 1 AS time")
    with pytest.raises(RecordingError, match="its tables are not those of"):
        recover(path, target)
    assert not target.exists()


def test_recovery_without_any_step_fails(tmp_path: Path) -> None:
    path, target = make_session(tmp_path / "a.atlas"), tmp_path / "b.atlas"
    damage(path, "UPDATE steps SET token = -1 WHERE step = 0")
    with pytest.raises(RecordingError, match=r"no step can be read \(damaged: run 1 from step 1 on\)"):
        recover(path, target)
    assert [file.name for file in tmp_path.iterdir()] == ["a.atlas"]


def test_a_recording_without_runs_is_sound(tmp_path: Path) -> None:
    Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes).close()
    found = recover(tmp_path / "a.atlas", tmp_path / "b.atlas")
    assert (found.runs, found.steps, found.lost) == (0, 0, ())
