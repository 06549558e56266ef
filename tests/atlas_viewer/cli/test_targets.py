"""No output replaces a recording or a file that the command reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.command_line import Run, assert_one_line, runner
from helpers.make_hugging_face import state_dict, unpadded, write_folder
from helpers.make_models import TINY, tiny_checkpoint, tiny_model
from helpers.make_recordings import make_session
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, a folder with one, a recording with its log, and links to them under other names."""
    tiny_checkpoint(tmp_path / "t.bin")
    os.link(tmp_path / "t.bin", tmp_path / "hard.npy")
    (tmp_path / "soft.png").symlink_to("t.bin")
    write_folder(tmp_path / "hf", state_dict(tiny_model(unpadded(TINY)), "f32"))
    (tmp_path / "soft.npy").symlink_to("hf/config.json")
    make_session(tmp_path / "a.atlas", steps=2)
    (tmp_path / "a.atlas-wal").write_bytes(b"")
    shutil.copy(tmp_path / "a.atlas", tmp_path / "other.npz")
    (tmp_path / "t.jsonl").write_text('{"frames": 1}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        "generate hi --model t.bin --logits hard.npy",
        "generate hi --model hf --logits soft.npy",
        "generate hi --model hf/model.safetensors --logits soft.npy",
        "render hi --model t.bin --out soft.png",
        "atlas hi --out other.npz",
        "view hi --tour t.jsonl --record-tour t.jsonl",
        "session export a.atlas --json a.atlas",
        "session export a.atlas --csv ./a.atlas",
        "session export a.atlas --json a.atlas-wal",
        "session export a.atlas --json other.npz",
        "session export a.atlas --json - --npz other.npz",
        "session export a.atlas --json t.bin --model t.bin",
        "session export a.atlas --json new.txt --csv ./new.txt",
        "models convert t.bin t.bin --weights bf16",
        "models convert hf hf",
        "models convert hf hf/model.safetensors --weights f16",
        "models convert hf/model.safetensors hf",
    ],
)
def test_inputs_and_recordings_are_kept(run: Run, folder: Path, arguments: str) -> None:
    before = contents(folder) | contents(folder / "hf")
    assert_one_line(run(*arguments.split()), 1, "choose another path")
    assert contents(folder) | contents(folder / "hf") == before


def test_other_files_are_replaced(run: Run, folder: Path) -> None:
    (folder / "a.json").write_text("old")
    assert run("session", "export", "a.atlas", "--json", "a.json").status == 0
    assert (folder / "a.json").read_text() != "old"
    (folder / "new.bin").write_text("old")
    assert run("models", "convert", "hf", "new.bin").status == 0
    assert (folder / "new.bin").stat().st_size > 1000


def test_standard_input_is_kept(folder: Path) -> None:
    prompt = folder / "prompt.npy"
    prompt.write_text("Once")
    with prompt.open() as source:
        command = [sys.executable, "-m", "atlas_viewer", "generate", "-", "-n", "1", "--logits", str(prompt)]
        done = subprocess.run(command, cwd=ROOT, stdin=source, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (1, "")
    assert "prompt.npy: this command reads it" in done.stderr
    assert prompt.read_text() == "Once"
