"""A recording as JSON, CSV and arrays; mistakes are reported in one line."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.cli.main import main

from helpers.command_line import export
from helpers.make_recordings import PROMPT_TOKENS, StepCapture, make_session, step


def test_json_csv_and_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_session(tmp_path / "a.atlas", steps=5, logits="f32")
    assert export(path, "--json") == 0
    exported = json.loads(capsys.readouterr().out)
    assert (exported["head"]["model"], exported["runs"][0]["prompt_tokens"]) == ("made up", PROMPT_TOKENS)
    assert [known["token"] for known in exported["runs"][0]["steps"]] == [step(index).token for index in range(5)]
    assert exported["runs"][0]["steps"][2]["top"][1]["logit"] == step(2).top[1].logit
    assert [camera["data"]["zoom"] for camera in exported["cameras"]] == [1.0, 4.0]
    assert export(path, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(int(row["run"]), int(row["step"]), int(row["token"])) for row in rows] == [
        (1, index, step(index).token) for index in range(5)
    ]
    assert float(rows[3]["logit"]) == step(3).logit
    assert export(path, "--npz", tmp_path / "a.npz", "--json", tmp_path / "a.json") == 0
    assert json.loads((tmp_path / "a.json").read_text()) == exported
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["tokens"].tolist() == [step(index).token for index in range(5)]
        np.testing.assert_array_equal(arrays["logits"], [StepCapture(index).logits for index in range(5)])
        assert arrays["statistics"].tobytes() == b"".join(StepCapture(index).statistics.tobytes() for index in range(5))
        assert arrays["statistics_tensors"].tolist() == ["h.0.resid_pre", "logits"]
        assert arrays["top_logits"][4, 2] == step(4).top[2].logit


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "no output; give --video"),
        (("--video", "a.gif"), 2, "must end in one of .mp4, .mkv, .webm"),
        (("--video", "a.mp4", "--size", "641x360"), 2, "even width"),
        (("--video", "a.mp4", "--fps", "0"), 2, "--fps 0"),
        (("--video", "a.mp4", "--step-frames", "0"), 2, "--step-frames 0"),
        (("--png", "p", "--zoom", "nan"), 2, "--zoom, --center"),
        (("--png", "p", "--view", "map", "--center", "inf,0"), 2, "--zoom, --center"),
        (("--video", "no/where/a.mp4"), 1, "there is no folder"),
        (("--png", "/dev/null"), 1, "is not a folder"),
        (("--png", "p"), 1, "give the model's file with --model"),
        (("--npz", "a.npz", "--run", "7"), 1, "has no run 7"),
        (("--npz", "a.png"), 2, "ends in .npz"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
    status: int, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert export(make_session(tmp_path / "a.atlas", steps=2), *arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_model_of_another_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_session(tmp_path / "a.atlas", steps=2)
    assert main(["--model", "stories", "session", "export", str(path), "--png", str(tmp_path / "p")]) == 1
    assert "was recorded with made up (1 layers" in capsys.readouterr().err


def test_the_model_is_never_a_path_from_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_session(tmp_path / "a.atlas", steps=2)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE session SET model = '/etc/passwd'")
    connection.commit()
    connection.close()
    assert main(["session", "verify", str(path)]) == 1
    assert "give the model's file with --model" in capsys.readouterr().err
