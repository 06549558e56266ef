"""The recorded lens without a model: it is stored, read, exported, compared, migrated and recovered."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.recording.arrays import as_json, as_npz, summary
from atlas_viewer.recording.compare_lens import lens_difference
from atlas_viewer.recording.diff import diff_runs
from atlas_viewer.recording.lens_columns import lens_columns, lens_csv
from atlas_viewer.recording.lens_records import lens_of, lens_type
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.records import LensSteps
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.schema import SCHEMA
from compute.errors import RecordingError
from compute.lens.lens_cells import LensCells

from helpers.damaged_recordings import assert_clear_message, damage
from helpers.make_recordings import (
    CONFIG,
    LENS_POINTS,
    LENS_TOP,
    PROMPT_TOKENS,
    lens_result,
    make_session,
    step,
    token_bytes,
)

STEPS = 4
COLUMNS = len(PROMPT_TOKENS) + STEPS - 1
ARRAYS = (
    "top_tokens", "top_logits", "log_total", "entropy", "nonfinite", "target_logit", "target_rank", "norm", "added",
    "cosine",
)  # fmt: skip


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return make_session(tmp_path / "a.atlas", steps=STEPS, lens=True)


def captured(index: int) -> LensCells:
    return lens_of(lens_result(index), step(index), CONFIG, LENS_TOP)


def test_the_lens_is_read_as_it_was_captured(sound: Path) -> None:
    with Recording(sound) as recording:
        run = recording.run()
        assert recording.lens_steps(run) == LensSteps(STEPS, LENS_TOP)
        for index in range(STEPS):
            found, made = recording.lens(run, step(index)), captured(index)
            assert found is not None
            assert (found.points, found.positions, found.target) == (made.points, made.positions, step(index).token)
            assert len(found.positions) == (step(0).context_length if index == 0 else 1)
            for name in ARRAYS:
                np.testing.assert_array_equal(getattr(found, name), getattr(made, name), name)


def test_a_recording_without_lens_has_none(tmp_path: Path) -> None:
    with Recording(make_session(tmp_path / "a.atlas", steps=2)) as recording:
        run = recording.run()
        assert recording.lens(run, step(0)) is None
        assert lens_columns(recording, run) is None
        assert summary(recording)["runs"][0]["lens"] is None
        assert [one["lens"] for one in json.loads(as_json(recording))["runs"][0]["steps"]] == [None, None]
        assert not [name for name in np.load(io.BytesIO(as_npz(recording, run))) if name.startswith("lens")]


def test_a_recording_of_version_2_is_migrated(sound: Path) -> None:
    damage(sound, "DROP TABLE lens", "DROP TABLE edits", "DROP TABLE lens_files", "PRAGMA user_version = 2")
    written = sound.read_bytes()
    with Recording(sound) as recording:
        assert recording.lens_steps(recording.run()) == LensSteps(0, 0)
        assert recording.lens(recording.run(), step(0)) is None
        assert len(recording.steps(recording.run())) == STEPS
    assert sound.read_bytes() == written
    found = recover(sound, sound.with_name("b.atlas"))
    assert (found.steps, found.lost) == (STEPS, ())


def test_a_recording_of_version_3_has_the_logit_lens(sound: Path) -> None:
    damage(sound, "DROP TABLE lens_files", "PRAGMA user_version = 3")
    with Recording(sound) as recording:
        assert recording.lens_steps(recording.run()) == LensSteps(STEPS, LENS_TOP, None)
        assert recording.lens_file(recording.run()) is None


def test_exports_contain_every_column(sound: Path) -> None:
    with Recording(sound) as recording:
        run = recording.run()
        exported = json.loads(as_json(recording))["runs"][0]
        arrays = np.load(io.BytesIO(as_npz(recording, run)))
        columns = lens_columns(recording, run)
        assert columns is not None
        lines = list(csv.DictReader(io.StringIO(lens_csv(recording, run, columns))))
    assert exported["lens"] == {
        "points": ["embed.sum", "h.0.resid_post"],
        "steps": STEPS,
        "top": LENS_TOP,
        "file": None,
    }
    assert arrays["lens_points"].tolist() == ["embed.sum", "h.0.resid_post"]
    assert arrays["lens_positions"].tolist() == list(range(COLUMNS))
    assert arrays["lens_steps"].tolist() == [0] * len(PROMPT_TOKENS) + list(range(1, STEPS))
    assert arrays["lens_top_tokens"].shape == (LENS_POINTS, COLUMNS, LENS_TOP)
    assert arrays["lens_targets"].tolist() == [step(int(index)).token for index in arrays["lens_steps"]]
    column = 0
    for index in range(STEPS):
        made, lens = captured(index), exported["steps"][index]["lens"]
        assert lens["first_position"] == column
        for position in range(len(made.positions)):
            for name in ARRAYS:
                np.testing.assert_array_equal(arrays[f"lens_{name}"][:, column], getattr(made, name)[:, position])
            for point in range(LENS_POINTS):
                cell = lens["cells"][point][position]
                assert [one["token"] for one in cell["top"]] == made.top_tokens[point, position].tolist()
                assert [one["logit"] for one in cell["top"]] == made.top_logits[point, position].tolist()
                assert cell["target_rank"] == 1
                assert cell["target_logit"] == float(made.top_logits[point, position, 1])
                assert cell["top"][0]["text"] == token_bytes(cell["top"][0]["token"]).decode(errors="replace")
            column += 1
    assert len(lines) == COLUMNS * LENS_POINTS * LENS_TOP
    last = lines[-1]
    assert (last["step"], last["position"], last["point"], last["rank"]) == (
        str(STEPS - 1), str(COLUMNS - 1), "h.0.resid_post", str(LENS_TOP - 1),
    )  # fmt: skip
    assert float(last["logit"]) == float(captured(STEPS - 1).top_logits[1, 0, -1])


def record_bytes(name: str, value: object) -> bytes:
    """The data of step 1 with `value` in the field `name` of every record."""
    cells = captured(1)
    records = np.zeros(cells.entropy.shape, lens_type(LENS_TOP))
    records[name] = value
    return records.tobytes()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("data", b"", "must have"),
        ("data", captured(1).top_logits.tobytes(), "must have"),
        ("data", record_bytes("top_tokens", CONFIG.vocabulary), "top_tokens must be from -1 to 299"),
        ("data", record_bytes("top_tokens", -2), "top_tokens must be from -1 to 299"),
        ("data", record_bytes("target_rank", 2**30), "target_rank must be"),
        ("data", record_bytes("nonfinite", -1), "nonfinite must be"),
        ("positions", 0, "positions"),
        ("positions", 2**40, "positions"),
        ("positions", 40, "exceed the context"),
        ("top", 0, "top"),
        ("top", 101, "top"),
        ("top", LENS_TOP + 1, "must have"),
    ],
)
def test_damaged_rows_are_refused_and_the_others_recovered(
    sound: Path, column: str, value: object, message: str
) -> None:
    connection = sqlite3.connect(sound)
    connection.execute(f"UPDATE lens SET {column} = ? WHERE step = 1", (value,))
    connection.commit()
    connection.close()
    with Recording(sound) as recording, pytest.raises(RecordingError, match=message) as caught:
        as_json(recording)
    assert_clear_message(sound, caught.value)
    found = recover(sound, sound.with_name("b.atlas"))
    assert (found.steps, found.lost) == (STEPS, ("lens of 1 steps of run 1",))
    with Recording(sound.with_name("b.atlas")) as saved:
        kept = [saved.lens(saved.run(), step(index)) is not None for index in range(STEPS)]
        assert kept == [True, False, True, True]


def test_steps_with_different_numbers_of_tokens_cannot_be_joined(sound: Path) -> None:
    cells = captured(1)
    data = np.zeros(cells.entropy.shape, lens_type(1)).tobytes()
    connection = sqlite3.connect(sound)
    connection.execute("UPDATE lens SET top = 1, data = ? WHERE step = 1", (data,))
    connection.commit()
    connection.close()
    with Recording(sound) as recording, pytest.raises(RecordingError, match="different numbers of tokens"):
        as_npz(recording, recording.run())


def test_diff_finds_the_cell_that_differs(sound: Path, tmp_path: Path) -> None:
    other = make_session(tmp_path / "b.atlas", steps=STEPS, lens=True)
    with Recording(sound) as one, Recording(other) as two:
        assert diff_runs(one, one.run(), two, two.run()).same
    records = np.zeros(captured(2).entropy.shape, lens_type(LENS_TOP))
    for name in records.dtype.names or ():
        records[name] = getattr(captured(2), name)
    records["target_logit"][1, 0] += 0.5
    connection = sqlite3.connect(other)
    connection.execute("UPDATE lens SET data = ? WHERE step = 2", (records.tobytes(),))
    connection.commit()
    connection.close()
    with Recording(sound) as one, Recording(other) as two:
        difference = diff_runs(one, one.run(), two, two.run())
    assert not difference.same
    assert [found.lens is not None and found.lens.same for found in difference.steps] == [True, True, False, True]
    found = difference.steps[2].lens
    assert found is not None
    assert found.largest == pytest.approx(0.5)
    assert found.what == "lens: target's logit at h.0.resid_post, row 4"


def test_equal_lenses_do_not_differ_even_if_not_finite() -> None:
    cells = captured(1)
    empty = replace(cells, entropy=np.full_like(cells.entropy, np.nan), norm=np.full_like(cells.norm, np.inf))
    assert lens_difference(cells, cells).same
    assert lens_difference(empty, empty).same
    assert lens_difference(empty, cells).largest == np.inf


def test_a_swap_of_close_tokens_is_within_their_logits() -> None:
    cells = captured(1)
    logits = np.broadcast_to(np.array([2.0, 1.999, 1.0], np.float32), cells.top_logits.shape)
    one = replace(cells, top_logits=logits, target_logit=logits[..., 1], target_rank=np.ones_like(cells.target_rank))
    swapped = one.top_tokens[..., [1, 0, 2]]
    assert cells.target_rank is not None
    other = replace(one, top_tokens=swapped, target_logit=logits[..., 0], target_rank=np.zeros_like(cells.target_rank))
    found = lens_difference(one, other)
    assert not found.same
    assert 0 < found.largest < 2e-3
    strange = np.where(np.arange(LENS_TOP) == 0, 299 - 1, one.top_tokens)  # a token that is not among those found
    assert lens_difference(replace(one, top_tokens=strange), one).largest == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("was", "now", "differs"),
    [(5000, 5050, False), (5000, 5200, True), (40, 42, False), (40, 50, True), (0, 900, True)],
)
def test_a_rank_below_the_known_tokens_may_change_a_little(was: int, now: int, differs: bool) -> None:
    cells = captured(1)
    assert cells.target_rank is not None
    assert cells.target_logit is not None
    far = replace(cells, target_logit=np.full_like(cells.target_logit, -9.0))
    one, other = (replace(far, target_rank=np.full_like(cells.target_rank, rank)) for rank in (was, now))
    found = lens_difference(one, other)
    assert not found.same
    assert (found.largest > 1) == differs


def test_the_tables_are_new_in_versions_3_and_4() -> None:
    assert SCHEMA.version == 4
    for version in (1, 2, 3):
        assert not any("TABLE lens_files " in statement for statement in SCHEMA.tables_of(version))
    for version in (1, 2):
        assert not any(statement.startswith("CREATE TABLE lens ") for statement in SCHEMA.tables_of(version))
