"""Closed and full streams, names that are too long, and Ctrl+C while the program starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.command_line import assert_one_line
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

Run = Callable[..., SimpleNamespace]


def sh(line: str) -> SimpleNamespace:
    """Run a shell line in which `atlas` is the program."""
    command = ["sh", "-c", f'atlas() {{ "{sys.executable}" -m atlas_viewer "$@"; }}\n{line}']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return SimpleNamespace(status=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("atlas generate hello -n 1 --context 16 >&-", "it is closed"),
        ("atlas --help >&-", "it is closed"),
        ("atlas --help >/dev/full", "No space left"),
        ("atlas models list --json >/dev/full", "No space left"),
    ],
)
def test_standard_output_that_cannot_be_written(line: str, reason: str) -> None:
    assert_one_line(sh(line), 1, f"standard output: cannot be written to ({reason}")


@pytest.mark.parametrize("command", ["render hi -n 1 --out /tmp/a.png", "doctor", "view"])
def test_a_working_folder_that_is_gone(tmp_path: Path, command: str) -> None:
    # An import in this process has set the path of the windowing library for its children.
    gone = sh(
        f'unset PYGLFW_LIBRARY; mkdir "{tmp_path}/x" && cd "{tmp_path}/x" && rmdir "{tmp_path}/x" && atlas {command}'
    )
    assert_one_line(gone, 1, "the working folder no longer exists; change to another one and run again")


def test_errors_never_go_to_standard_output() -> None:
    result = sh("atlas generate x -n 0 2>&-")
    assert (result.status, result.out, result.err) == (2, "", "")


def test_the_descriptors_of_closed_streams_are_not_reused(tmp_path: Path) -> None:
    # Otherwise the next files to be opened, such as the result, would get their descriptors.
    path = tmp_path / "a.npy"
    result = sh(f"atlas generate hello -n 1 --context 16 --json --logits {path} <&- 2>&-")
    assert (result.status, json.loads(result.out)["stop_reason"], np.load(path).shape) == (0, "length", (1, 50257))


def test_ctrl_c_during_start_up_is_reported_in_one_line() -> None:
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'numpy': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['atlas-viewer', 'generate', 'x']\n"
        "from atlas_viewer.cli.main import main\n"
        "assert not {'argparse', 'numpy'} & set(sys.modules), 'it imports too much before it can handle Ctrl+C'\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "atlas-viewer: stopped\n")


LONG = "n" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "x", "--model", f"./{LONG}"),
        ("generate", "x", "--model", f"{LONG}.safetensors"),
        ("generate", "x", "--model", LONG),
        ("generate", "x", "--logits", f"{LONG}.npy"),
        ("render", "x", "--out", f"{LONG}.png"),
        ("atlas", "x", "--out", f"{LONG}/a.npz"),
        ("view", "x", "--record-tour", LONG),
        ("view", "x", "--tour", LONG),
        ("session", "record", "x", "--out", f"{LONG}.atlas"),
        ("session", "info", f"{LONG}.atlas"),
        ("session", "recover", f"{LONG}.atlas", "--out", "a"),
        ("models", "verify", f"./{LONG}"),
        ("models", "convert", "stories", LONG),
        ("models", "convert", "stories", f"{LONG}.bin"),
    ],
)
def test_names_that_are_too_long(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert_one_line(result, 1, LONG)
    assert "standard output" not in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["view", "generate", "trace"])
def test_a_recording_is_not_continued_as_a_prompt(run: Run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "a b.atlas"
    path.write_bytes(b"")
    assert_one_line(run(command, path), 2, f"is a recording; open it with `atlas-viewer session replay '{path}'`")
