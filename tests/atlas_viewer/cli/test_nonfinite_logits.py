"""Logits that are NaN or infinite are reported on the command line, in JSON and in recordings."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.recording.reader import Recording
from compute.models.config import ModelConfig
from compute.weights.llmc import write_llmc

from helpers.command_line import Run, runner
from helpers.gpu import fixed_logits

pytestmark = pytest.mark.gpu

CONFIG = ModelConfig(layers=1, heads=1, channels=4, positions=16, vocabulary=50257, padded_vocabulary=50304)
OPTIONS = ("-n", 4, "--temperature", 0, "--context", 8)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def damaged(path: Path, logits: dict[int, float], positions: tuple[int, ...] = ()) -> Path:
    """A model whose logits are 0 but for token 262, " the", which it always generates, and for those in `logits`.

    Padding rows of `wte` are NaN. At `positions`, everything is NaN.
    """
    wanted = np.zeros(CONFIG.vocabulary, np.float32)
    wanted[262] = 1
    for token, value in logits.items():
        wanted[token] = value
    model = fixed_logits(CONFIG, wanted)

    def tensor(name: str) -> np.ndarray:
        array = np.array(model.tensor(name))
        if name == "wte":
            array[CONFIG.vocabulary :] = np.nan
        if name == "wpe":
            array[list(positions)] = np.nan
        return array

    write_llmc(path, CONFIG, tensor)
    return path


SOME = {1000: np.nan, 2000: np.inf, 3000: -np.inf}


def test_some_logits(run: Run, tmp_path: Path) -> None:
    model = damaged(tmp_path / "some.bin", SOME)
    text = run("generate", "once", *OPTIONS, "--model", model)
    note = "atlas-viewer: 12 logits are not finite, from step 1 on; `trace` shows the first affected tensor\n"
    assert (text.status, text.out, text.err) == (0, "once the the the the\n", note)
    result = run("generate", "once", *OPTIONS, "--model", model, "--json")
    assert (result.status, result.err) == (0, note)
    record = json.loads(result.out, parse_constant=pytest.fail)
    assert (record["nonfinite_logits"], record["stop_reason"]) == (12, "length")
    assert [step["nonfinite_logits"] for step in record["steps"]] == [3, 3, 3, 3]
    without = run("generate", "once", *OPTIONS, "--model", model, "--json", "--top", 0)
    assert json.loads(without.out)["nonfinite_logits"] == 12


def test_one_logit_of_one_step(run: Run, tmp_path: Path) -> None:
    model = damaged(tmp_path / "one.bin", {5: np.nan})
    result = run("generate", "once", "-n", 1, "--temperature", 0, "--context", 8, "--model", model)
    assert result.err.startswith("atlas-viewer: 1 logit is not finite, from step 1 on;")


def test_every_logit_from_a_later_step_on(run: Run, tmp_path: Path) -> None:
    model = damaged(tmp_path / "late.bin", {}, positions=(2,))
    result = run("generate", "once", *OPTIONS, "--model", model, "--json")
    assert result.status == 1
    assert result.err == (
        "atlas-viewer: generation ended: no logit is finite; 50,257 logits are not finite, from step 3 on;"
        " `trace` shows the first affected tensor\n"
    )
    record = json.loads(result.out, parse_constant=pytest.fail)
    assert (record["stop_reason"], record["nonfinite_logits"]) == ("nonfinite", 50257)
    assert [step["nonfinite_logits"] for step in record["steps"]] == [0, 0]


def test_a_recording(run: Run, tmp_path: Path) -> None:
    model, path = damaged(tmp_path / "some.bin", SOME), tmp_path / "a.atlas"
    result = run("session", "record", "once", *OPTIONS, "--model", model, "--out", path)
    assert (result.status, result.out) == (0, "once the the the the\n")
    assert (
        result.err == "atlas-viewer: 12 logits are not finite, from step 1 on; `session export --csv` lists the steps\n"
    )
    with Recording(path) as recording:
        assert [step.record.nonfinite_logits for step in recording.steps(recording.run())] == [3, 3, 3, 3]
    rows = csv.DictReader(io.StringIO(run("session", "export", path, "--csv", "-").out))
    assert [row["nonfinite_logits"] for row in rows] == ["3", "3", "3", "3"]
    exported = json.loads(run("session", "export", path, "--json", "-").out, parse_constant=pytest.fail)
    assert exported["runs"][0]["steps"][0]["nonfinite_logits"] == 3


def test_a_recording_of_nothing(run: Run, tmp_path: Path) -> None:
    model, path = damaged(tmp_path / "none.bin", {}, positions=(0,)), tmp_path / "a.atlas"
    result = run("session", "record", "once", *OPTIONS, "--model", model, "--out", path)
    assert result.status == 1
    assert result.err == (
        "atlas-viewer: generation ended: no logit is finite; 50,257 logits are not finite, from step 1 on;"
        " `trace` shows the first affected tensor\n"
    )


def test_a_sound_model_prints_no_report(run: Run) -> None:
    result = run("generate", "once", "-n", 2, "--temperature", 0, "--context", 16)
    assert (result.status, result.err) == (0, "")


def test_the_lens_says_that_nothing_is_predicted(run: Run, tmp_path: Path) -> None:
    model = damaged(tmp_path / "all.bin", {}, positions=(0,))
    done = run("lens", "once", "--model", model)
    assert done.status == 0, done.err
    assert "no logit of the last point is finite, so nothing is predicted" in done.out
    assert "is the first point" not in done.out
