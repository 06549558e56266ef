"""What the commands print with `--json` is what their schemas describe, key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.bench import engine_bench
from compute.bench.measuring import Budget
from compute.models.config import ModelConfig
from compute.selftest import run as selftest
from compute.selftest.check import Skipped
from compute.weights.llmc import write_llmc

from helpers.command_line import PROMPT, Run, no_constants, runner
from helpers.gpu import fixed_logits
from helpers.json_schemas import SCHEMAS, errors
from helpers.make_recordings import make_session

pytestmark = pytest.mark.gpu

FEW = ("-n", 3, "--context", 32)
TINY = ModelConfig(layers=1, heads=1, channels=4, positions=16, vocabulary=50257, padded_vocabulary=50304)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def printed(run: Run, name: str, *command: object, status: int = 0) -> Any:
    """The output of a command with `--json`, which must be what schema `name` describes."""
    result = run(*command, "--json")
    assert result.status == status, result.err
    value = json.loads(result.out, parse_constant=no_constants)
    assert errors(name, value) == []
    assert keys(value) >= keys(SCHEMAS[name]["examples"][0]), "the example is out of date"
    return value


def keys(value: Any) -> set[str]:
    """The keys of the outermost object, or of the objects in the outermost list."""
    return set(value) if isinstance(value, dict) else {key for entry in value for key in entry}


@pytest.fixture
def recording(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "a.atlas"
    assert run("session", "record", PROMPT, *FEW, "--out", path).status == 0
    return path


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that gives NaN and infinite logits besides finite ones."""
    logits = np.zeros(TINY.vocabulary, np.float32)
    logits[[262, 1000, 2000, 3000]] = 1, np.nan, np.inf, -np.inf
    path = tmp_path_factory.mktemp("damaged") / "some.bin"
    write_llmc(path, TINY, fixed_logits(TINY, logits).tensor)
    return path


@pytest.mark.parametrize("options", [(), ("--top", 0), ("--temperature", 0), ("--top-k", 2, "--repetition-penalty", 2)])
def test_generate(run: Run, options: tuple[object, ...]) -> None:
    assert len(printed(run, "generate", "generate", PROMPT, *FEW, *options)["steps"]) == 3


def test_trace(run: Run) -> None:
    assert {entry["cells"] is None for entry in printed(run, "trace", "trace", PROMPT, *FEW)} == {True, False}


def test_numbers_that_are_not_finite_are_null(run: Run, damaged: Path) -> None:
    model = ("--model", damaged, "-n", 2, "--context", 8)
    assert printed(run, "generate", "generate", "once", *model)["nonfinite_logits"] == 6
    logits = printed(run, "trace", "trace", "once", *model)[-1]
    assert logits["first_nonfinite"] is not None


@pytest.mark.parametrize("text", [PROMPT, "Once"])
def test_score(run: Run, text: str) -> None:
    score = printed(run, "score", "score", text)
    assert (score["perplexity"] is None) == (len(score["tokens"]) == 1)


@pytest.mark.slow
def test_bench(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_bench, "QUICK", Budget(seconds=0.05, longest=10.0, warm_up=0.01))
    printed(run, "bench", "bench", "--quick", "--context", 20, "--size", "320x200")


def test_models_list(run: Run) -> None:
    assert {entry["state"] for entry in printed(run, "models-list", "models", "list")} == {"absent"}


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not printed(run, "doctor", "doctor", status=1)["ok"]


def test_doctor_prove(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of its groups, and a skipped check: the others print the same keys."""
    name = "layer norm and embedding"
    groups = {name: selftest.GROUPS[name], "none": lambda _: iter([Skipped("chain", "not here")])}
    monkeypatch.setattr(selftest, "GROUPS", groups)
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(tmp_path))
    value = printed(run, "doctor-prove", "doctor", "--prove")
    assert value["checks"]
    assert value["skipped"]


def test_session_info(run: Run, recording: Path) -> None:
    assert printed(run, "session-info", "session", "info", recording)["runs"][0]["steps"] == 3


def test_session_verify(run: Run, recording: Path) -> None:
    assert printed(run, "session-verify", "session", "verify", recording)["holds"]


def test_session_diff(run: Run, recording: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.atlas"
    assert printed(run, "session-diff", "session", "diff", recording, recording)["same"]
    assert run("session", "record", PROMPT, "-n", 2, "--context", 32, "--no-statistics", "--out", other).status == 0
    shorter = printed(run, "session-diff", "session", "diff", recording, other, status=1)
    assert shorter["steps"][-1]["tokens"][1] is None
    assert shorter["steps"][-1]["figures"]["largest"] is None
    assert shorter["steps"][0]["statistics"] is None


def test_session_export(run: Run, recording: Path) -> None:
    assert len(printed(run, "session-export", "session", "export", recording)["runs"][0]["steps"]) == 3


@pytest.mark.parametrize("reason", ["length", None])
def test_session_export_with_events_and_cameras(run: Run, tmp_path: Path, reason: str | None) -> None:
    path = make_session(tmp_path / "made up.atlas", reason=reason)
    value = printed(run, "session-export", "session", "export", path)
    assert value["events"]
    assert value["cameras"]
    assert value["runs"][0]["stop_reason"] == reason
    printed(run, "session-info", "session", "info", path)
