"""Recorded edits: stored with their values, applied again by verify, explained by diff, refused when damaged."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from atlas_viewer.recording.arrays import as_json
from atlas_viewer.recording.diff import diff_runs
from atlas_viewer.recording.edit_records import applied_edits, edit_differences, in_words, recorded_edits
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.records import RecordedEdit
from atlas_viewer.recording.recover import recover
from atlas_viewer.state.state import State
from compute.edits.values import Array, ArrayFile
from compute.errors import RecordingError
from compute.models.architectures import describe
from compute.sampling.options import GenerateOptions

from helpers.command_line import Run, runner
from helpers.damaged_recordings import assert_clear_message
from helpers.json_schemas import errors
from helpers.make_recordings import CONFIG, EDITS, make_session

TEXTS = ["h.0.attn.out[head=1] = 0", "h.0.resid_post[pos=-1] *= 2"]
PROMPT = "Once upon a time, there was a little girl named"


def made(text: str, value: float = 0.0) -> RecordedEdit:
    return RecordedEdit(text, 3, 20, np.full((1, 1, 1), value, np.float32))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return make_session(tmp_path / "a.atlas", steps=3, edits=True)


def test_edits_are_read_and_applied_as_they_were(sound: Path) -> None:
    with Recording(sound) as recording:
        run = recording.run()
        assert [edit.text for edit in run.edits] == TEXTS
        assert all(step.edits is run.edits for step in recording.steps(run))
        applied = applied_edits(run.edits, describe(CONFIG))
        exported = json.loads(as_json(recording))["runs"][0]
    assert all(one.same(other) for one, other in zip(applied, EDITS, strict=True))
    assert exported["edits"] == TEXTS
    assert [step["edits"] for step in exported["steps"]] == [TEXTS] * 3


def test_a_replay_in_the_window_has_the_edits(sound: Path) -> None:
    with Recording(sound) as recording:
        player = Player(recording, State("", GenerateOptions()))
        player.show()
        assert [str(edit) for edit in player.run.edits_at(2) or ()] == TEXTS
    with Recording(make_session(sound.with_name("b.atlas"), steps=1)) as plain:
        player = Player(plain, State("", GenerateOptions()))
        player.show()
        assert player.run.edits_at(0) == ()  # not None, with which a model would apply its own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("h.5.attn.out[head=3] = 0", "zeroes L5H3 (h.5.attn.out[head=3] = 0)"),
        ("h.5.attn.out[head=3] *= 0", "zeroes L5H3 (h.5.attn.out[head=3] *= 0)"),
        ("h.5.attn.out[head=3] *= 0.5", "scales L5H3 (h.5.attn.out[head=3] *= 0.5)"),
        ("h.1.resid_post[:, 3] = mean", "sets h.1.resid_post[:, 3] (h.1.resid_post[:, 3] = mean)"),
        ("h.1.resid_post += 2*v.npy", "adds to h.1.resid_post (h.1.resid_post += 2.0*v.npy)"),
    ],
)
def test_edits_in_words(text: str, words: str) -> None:
    assert in_words(made(text)).replace("2.0*", "2*") == words.replace("2.0*", "2*")


def test_differences_name_the_side_and_the_edit() -> None:
    zero, other = made("h.5.attn.out[head=3] = 0"), made("h.1.resid_post[:, 3] = mean", 1.0)
    assert list(edit_differences([], [zero])) == ["B zeroes L5H3 (h.5.attn.out[head=3] = 0)"]
    assert list(edit_differences([zero, other], [zero])) == [
        "A sets h.1.resid_post[:, 3] (h.1.resid_post[:, 3] = mean)"
    ]
    assert list(edit_differences([zero, other], [other, zero])) == ["edits: the same, in another order"]
    assert list(edit_differences([other], [made(other.text, 2.0)])) == [
        "edit h.1.resid_post[:, 3] = mean: its values differ"
    ]
    assert list(edit_differences([zero, other], [zero, other])) == []


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("edit", "h.0.attn.out[", "edit"),
        ("edit", "h.0.attn.out[head=1] = 0\n", "control characters"),
        ("data", b"", "must have"),
        ("data", bytes(8), "must have"),
        ("rows", 0, "rows"),
        ("columns", 2**31, "must have"),
        ("prompt", 0, "prompt"),
    ],
)
def test_damaged_edits_are_refused_and_the_steps_recovered(
    sound: Path, column: str, value: object, message: str
) -> None:
    connection = sqlite3.connect(sound)
    connection.execute(f"UPDATE edits SET {column} = ? WHERE id = 1", (value,))
    connection.commit()
    connection.close()
    with Recording(sound) as recording, pytest.raises(RecordingError, match=message) as caught:
        recording.runs()
    assert_clear_message(sound, caught.value)
    found = recover(sound, sound.with_name("b.atlas"))
    assert (found.steps, found.lost) == (3, ("edits of row 1 of options",))


@pytest.mark.parametrize("text", ["h.7.attn.out[head=1] = 0", "h.0.attn.out[head=9] = 0"])
def test_edits_that_the_model_cannot_have_are_refused_where_they_are_applied(sound: Path, text: str) -> None:
    connection = sqlite3.connect(sound)
    connection.execute("UPDATE edits SET edit = ? WHERE id = 1", (text,))
    connection.commit()
    connection.close()
    with Recording(sound) as recording:
        assert recording.run().edits[0].text == text
        with pytest.raises(RecordingError, match="run 1: ") as caught:
            Player(recording, State("", GenerateOptions())).show()
    assert_clear_message(sound, caught.value)


def test_values_of_another_size_are_refused(sound: Path) -> None:
    connection = sqlite3.connect(sound)
    connection.execute("UPDATE edits SET columns = 3, data = ? WHERE id = 1", (bytes(12),))
    connection.commit()
    connection.close()
    with Recording(sound) as recording, pytest.raises(RecordingError, match="3 recorded values do not fit"):
        Player(recording, State("", GenerateOptions())).show()


@pytest.mark.parametrize(
    "value", [Array(np.ones(1, np.float32)), ArrayFile("a\nb.npy"), ArrayFile("x" * 5000 + ".npy")]
)
def test_values_without_a_readable_text_are_recorded_all_the_same(value: Array | ArrayFile) -> None:
    edit = replace(EDITS[1], edit=replace(EDITS[1].edit, value=value))
    (found,) = recorded_edits([edit], 3, 42)
    assert found.text == "h.0.resid_post[pos=-1] *= recorded.npy"
    (applied,) = applied_edits([found], describe(CONFIG))
    assert np.array_equal(applied.values, edit.values)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys, "session")


def record(run: Run, path: Path, *edits: str) -> SimpleNamespace:
    given = [argument for edit in edits for argument in ("--edit", edit)]
    return run("record", PROMPT, "-n", 3, "--temperature", 0, "--context", 32, "--out", path, *given)


@pytest.mark.gpu
def test_an_edited_run_verifies_without_its_files(run: Run, tmp_path: Path) -> None:
    plain, path, vector = tmp_path / "a.atlas", tmp_path / "b.atlas", tmp_path / "v.npy"
    np.save(vector, np.random.default_rng(0).normal(size=192).astype(np.float32))
    edits = ["h.5.attn.out[head=3] = 0", f"h.3.resid_post[pos=2:] += {vector}", "h.1.mlp.gelu[:, 5] = mean",
             "h.6.attn.c_proj.weight[:, 3] *= 0.5"]  # fmt: skip
    assert record(run, plain).status == 0
    assert record(run, path, *edits).status == 0
    vector.unlink()
    info = run("info", path).out
    assert all(edit in info for edit in edits)
    result = run("verify", path, "--json")
    report = json.loads(result.out)
    assert (result.status, report["counts"]["identical"]) == (0, 3)
    difference = run("diff", plain, path)
    assert "B zeroes L5H3 (h.5.attn.out[head=3] = 0)" in difference.out.splitlines()
    exported = json.loads(run("export", path, "--json").out)
    assert errors("session-export", exported) == []
    assert exported["runs"][0]["edits"] == edits
    with Recording(path) as one, Recording(plain) as other:
        mine, theirs = (recording.logits(recording.run(), 0) for recording in (one, other))
        assert mine is not None
        assert theirs is not None
        assert not np.array_equal(mine, theirs), "the edits changed nothing"
        assert len(diff_runs(one, one.run(), other, other.run()).head) == 4


@pytest.mark.gpu
def test_forged_values_of_an_edit_are_found(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    assert record(run, path, "h.5.attn.out[head=3] *= 0.5").status == 0
    other = tmp_path / "b.atlas"
    shutil.copy(path, other)
    connection = sqlite3.connect(other)
    connection.execute("UPDATE edits SET data = ?", (np.float32(0.6).tobytes(),))
    connection.commit()
    connection.close()
    assert run("verify", path).status == 0
    assert run("verify", other).status == 1
    assert "edit h.5.attn.out[head=3] *= 0.5: its values differ" in run("diff", path, other).out


@pytest.mark.gpu
def test_pictures_name_the_edits(run: Run, tmp_path: Path) -> None:
    path, folder = tmp_path / "a.atlas", tmp_path / "pictures"
    assert record(run, path, "h.5.attn.out[head=3] = 0").status == 0
    assert run("export", path, "--png", folder, "--size", "320x180").status == 0
    assert all(b"h.5.attn.out[head=3] = 0" in picture.read_bytes() for picture in folder.iterdir())
    assert io.BytesIO(next(folder.iterdir()).read_bytes()).read(4) == b"\x89PNG"
