"""`session record --with-lens` and what the other verbs do with the recorded lens."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import atlas_viewer as av
from atlas_viewer.recording.reader import Recording
from compute.io.array_files import write_arrays

from helpers.command_line import Run, assert_one_line, runner
from helpers.json_schemas import errors

pytestmark = pytest.mark.gpu

PROMPT, STEPS = "Once upon a time, there was a little girl named", 5
PROMPT_ROWS = 11
COLUMNS = PROMPT_ROWS + STEPS - 1


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from atlas_viewer.cli.main import main

    path = tmp_path_factory.mktemp("lens") / "a.atlas"
    options = ("-n", str(STEPS), "--temperature", "0.8", "--seed", "3", "--top", "4")
    assert main(["session", "record", PROMPT, *options, "--with-lens", "--lens-top", "7", "--out", str(path)]) == 0
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys, "session")


def parsed(run: Run, name: str, *arguments: object) -> Any:
    value = json.loads(run(*arguments).out)
    assert errors(name, value) == []
    return value


def test_the_recorded_lens_is_that_of_the_api(sound: Path) -> None:
    model = av.load("stories", context=64)
    with Recording(sound) as recording:
        known = recording.run()
        steps = recording.steps(known)
        assert len(known.prompt_tokens) == PROMPT_ROWS
        for step in steps:
            found = recording.lens(known, step.record)
            assert found is not None
            text = [*known.prompt_tokens, *(one.record.token for one in steps[: step.record.index])]
            lens = model.lens(text, target=step.record.token, top=7)
            rows = slice(found.positions.start, found.positions.stop)
            assert found.positions == (
                range(PROMPT_ROWS) if step.record.index == 0 else range(len(text) - 1, len(text))
            )
            assert lens.target_rank is not None
            assert lens.target_logit is not None
            np.testing.assert_array_equal(found.top_tokens[-1], lens.top_tokens[-1, rows])
            np.testing.assert_allclose(found.top_logits, lens.top_logits[:, rows], atol=4e-3)
            np.testing.assert_allclose(found.entropy, lens.entropy[:, rows], atol=4e-2)
            assert found.target_logit is not None
            np.testing.assert_allclose(found.target_logit, lens.target_logit[:, rows], atol=4e-3)
            assert found.target_rank is not None
            assert found.target_rank[-1, -1] == step.record.rank - 1
            assert found.target_logit[-1, -1] == pytest.approx(step.record.logit, abs=2e-3)


def test_information_and_verification(run: Run, sound: Path) -> None:
    assert f"lens of {STEPS} steps (top 7)" in run("info", sound).out
    info = parsed(run, "session-info", "info", sound, "--json")
    assert (info["runs"][0]["lens"]["steps"], info["runs"][0]["lens"]["top"]) == (STEPS, 7)
    assert len(info["runs"][0]["lens"]["points"]) == 9
    report = parsed(run, "session-verify", "verify", sound, "--json")
    assert report["holds"]
    assert report["counts"]["identical"] == STEPS


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording with a lens file, which is gone, and a copy of the file."""
    from atlas_viewer.cli.main import main

    folder, channels = tmp_path_factory.mktemp("tuned"), 192
    file, copy, path = (folder / name for name in ("tuned.npz", "copy.npz", "a.atlas"))
    generator = np.random.default_rng(5)
    weight = np.eye(channels) + 0.02 * generator.standard_normal((channels, channels))
    maps = {"h.3.resid_post.weight": weight.astype(np.float32), "h.3.resid_post.bias": np.ones(channels, np.float32)}
    write_arrays(file, maps.items())
    with_lens = ("--with-lens", "--lens-file", str(file), "--out", str(path))
    assert main(["session", "record", PROMPT, "-n", "2", *with_lens]) == 0
    file.rename(copy)
    return path, copy


def test_the_lens_of_a_lens_file(run: Run, tuned: tuple[Path, Path], sound: Path, tmp_path: Path) -> None:
    path, copy = tuned
    with Recording(path) as recording:
        known = recording.run()
        cells = recording.lens(known, recording.steps(known)[0].record)
        text = list(known.prompt_tokens)
    assert cells is not None
    model = av.load("stories", context=64)
    expected = model.lens(text, lens_file=copy)
    np.testing.assert_allclose(cells.entropy, expected.entropy, atol=4e-2)
    assert np.abs(cells.entropy - model.lens(text).entropy)[4].max() > 0.1, "h.3.resid_post is translated"
    name = str(copy.with_name("tuned.npz"))
    assert f"lens of 2 steps (top 5, lens file {name})" in run("info", path).out
    assert parsed(run, "session-info", "info", path, "--json")["runs"][0]["lens"]["file"] == name
    assert parsed(run, "session-verify", "verify", path, "--json")["counts"]["identical"] == 2
    assert f"lens file: {name} | none" in run("diff", path, sound).out
    files = [tmp_path / f"a.{suffix}" for suffix in ("csv", "svg", "npz", "atlas")]
    for file, option in zip(files, ("--lens", "--lens", "--npz"), strict=False):
        assert run("export", path, option, file).status == 0
    assert next(csv.DictReader(io.StringIO(files[0].read_text("utf-8"))))["lens_file"] == name
    assert "Lens of stories" in files[1].read_text("utf-8")
    assert f"lens file {name}" in files[1].read_text("utf-8")
    with np.load(files[2]) as arrays:
        assert str(arrays["lens_file"]) == name
    assert run("recover", path, "--out", files[3]).status == 0
    assert parsed(run, "session-verify", "verify", files[3], "--json")["counts"]["identical"] == 2


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE lens_files SET data = zeroblob(8)",
            "lens_files, run 1, point h.3.resid_post: must have 14",
        ),
        ("UPDATE lens_files SET point = 'h.9.resid_post'", "point h.9.resid_post: is not a point of the model"),
        ("UPDATE lens_files SET file = 'a' || char(10)", "at most 4096 characters without control"),
    ],
)
def test_a_damaged_lens_file_is_found(
    run: Run, tuned: tuple[Path, Path], tmp_path: Path, statement: str, message: str
) -> None:
    path = tmp_path / "b.atlas"
    shutil.copy(tuned[0], path)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert_one_line(run("verify", path), 1, message)


def test_forged_maps_of_a_lens_file_are_found(run: Run, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "b.atlas"
    shutil.copy(tuned[0], path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE lens_files SET data = zeroblob(length(data))")
    connection.commit()
    connection.close()
    result = run("verify", path)
    assert result.status == 1
    assert "h.3.resid_post" in result.out


def test_bad_lens_files_leave_no_recording(run: Run, tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", [("h.3.resid_post.weight", np.eye(5, dtype=np.float32))])
    for name, message in (("a.npz", "this model needs [192, 192]"), ("b.npz", "there is no such file")):
        out = tmp_path / "a.atlas"
        result = run("record", PROMPT, "--out", out, "--with-lens", "--lens-file", tmp_path / name)
        assert_one_line(result, 1, message)
        assert not out.exists()


@pytest.mark.parametrize(("step", "field"), [(0, "top_logits"), (2, "target_rank"), (3, "entropy"), (4, "top_tokens")])
def test_a_forged_lens_is_found(run: Run, sound: Path, tmp_path: Path, step: int, field: str) -> None:
    from atlas_viewer.recording.lens_records import lens_type

    path = tmp_path / "b.atlas"
    shutil.copy(sound, path)
    connection = sqlite3.connect(path)
    (data,) = connection.execute("SELECT data FROM lens WHERE step = ?", (step,)).fetchone()
    records = np.frombuffer(data, lens_type(7)).reshape(9, -1).copy()
    if field == "top_tokens":
        records[field][4, -1, 0] = 50256
    else:
        records[field][4, -1] += 5000 if field == "target_rank" and records[field][4, -1] < 40000 else 3
    connection.execute("UPDATE lens SET data = ? WHERE step = ?", (records.tobytes(), step))
    connection.commit()
    connection.close()
    result = run("verify", path)
    assert result.status == 1
    lines = [line for line in result.out.splitlines() if line.startswith("run 1 step")]
    assert [": identical" in line for line in lines] == [index != step for index in range(STEPS)]
    assert "(lens: " in lines[step]
    assert "h.3.resid_post" in lines[step]
    difference = parsed(run, "session-diff", "diff", sound, path, "--json")
    assert [one["lens"]["same"] for one in difference["steps"]] == [index != step for index in range(STEPS)]
    shown = run("diff", sound, path)
    assert (shown.status, "lens by" in shown.out) == (1, True)


def test_exports(run: Run, sound: Path, tmp_path: Path) -> None:
    exported = parsed(run, "session-export", "export", sound, "--json")
    steps = exported["runs"][0]["steps"]
    assert [len(step["lens"]["cells"][0]) for step in steps] == [PROMPT_ROWS, 1, 1, 1, 1]
    assert all(step["lens"]["target"] == step["token"] for step in steps)
    files = {suffix: tmp_path / f"a.{suffix}" for suffix in ("csv", "svg", "png", "npz")}
    for suffix, path in files.items():
        result = run("export", sound, "--npz" if suffix == "npz" else "--lens", path)
        assert (result.status, result.out, result.err) == (0, "", "")
    lines = list(csv.DictReader(io.StringIO(files["csv"].read_text("utf-8"))))
    assert len(lines) == 9 * COLUMNS * 7
    assert (lines[0]["point"], lines[0]["position"], lines[0]["text"]) == ("embed.sum", "0", "Once")
    root = ElementTree.fromstring(files["svg"].read_bytes())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Logit lens of stories", "embed.sum", "h.7.resid_post", "\u00b7named"} <= set(texts)
    assert any("llvmpipe" in str(text) or "stories" in str(text) for text in texts)
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    with np.load(files["npz"]) as arrays:
        assert arrays["lens_top_tokens"].shape == (9, COLUMNS, 7)


def test_a_sliding_context_starts_with_the_rows_of_the_first_pass(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    assert run("record", PROMPT, "-n", 3, "--context", 6, "--with-lens", "--out", path).status == 0
    with Recording(path) as recording:
        known = recording.run()
        found = [recording.lens(known, step.record) for step in recording.steps(known)]
    assert [lens is not None and lens.positions for lens in found] == [range(6), range(5, 6), range(5, 6)]
    assert parsed(run, "session-verify", "verify", path, "--json")["counts"]["identical"] == 3
    exported = parsed(run, "session-export", "export", path, "--json")["runs"][0]["steps"]
    assert [step["lens"]["first_position"] for step in exported] == [PROMPT_ROWS - 6, PROMPT_ROWS, PROMPT_ROWS + 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lens-top", 3), "--lens-top: needs --with-lens"),
        (("--lens-file", "a.npz"), "--lens-file: needs --with-lens"),
        (("--with-lens", "--lens-top", 0), "--lens-top 0: must be from 1 to 100"),
        (("--with-lens", "--lens-top", 101), "--lens-top 101: must be from 1 to 100"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    run: Run, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = run("record", PROMPT, "--out", tmp_path / "a.atlas", *arguments)
    assert_one_line(result, 2, message)
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_what_it_cannot_write(run: Run, sound: Path, tmp_path: Path) -> None:
    assert_one_line(run("export", sound, "--lens", tmp_path / "a.txt"), 2, "ends in .csv or .png or .svg")
    plain = tmp_path / "b.atlas"
    assert run("record", PROMPT, "-n", 1, "--out", plain).status == 0
    assert_one_line(run("export", plain, "--lens", tmp_path / "a.png"), 1, "has no lens; record one with")
    assert not (tmp_path / "a.png").exists()
