"""The program in a process of its own: without a display or a GPU, writing to a pipe, stopped by Ctrl+C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from compute.generate.generator import Generation

from helpers.command_line import PROMPT, Run, assert_one_line, no_constants, shell
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu


def test_no_display() -> None:
    result = shell("view", PROMPT, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert_one_line(result, 1, "DISPLAY", "render")
    result = shell(DISPLAY=":987", WAYLAND_DISPLAY=None)
    assert_one_line(result, 1, ":987", "DISPLAY", "render")


def test_no_vulkan_adapter() -> None:
    nothing = {"VK_ICD_FILENAMES": "/nonexistent", "VK_DRIVER_FILES": "/nonexistent"}
    assert_one_line(shell("generate", "x", "-n", "1", **nothing), 1, "adapter", "doctor")


def test_nothing_else_is_printed() -> None:
    result = shell("generate", PROMPT, "-n", "2", "--context", "16", "--temperature", "0", XDG_RUNTIME_DIR=None)
    assert (result.status, result.out, result.err) == (0, PROMPT + " little girl\n", "")


def test_a_reader_that_goes_away() -> None:
    command = [sys.executable, "-m", "atlas_viewer", "generate", PROMPT, "-n", "40", "--context", "64"]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.read(4)
    writer.stdout.close()
    assert writer.stderr is not None
    assert writer.stderr.read() == b""
    assert writer.wait(PATIENCE_S) == 1


def test_ctrl_c_ends_with_the_text_so_far() -> None:
    command = [sys.executable, "-u", "-m", "atlas_viewer", "generate", PROMPT, "-n", "100000", "--context", "64"]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        seen = writer.stdout.read(len(PROMPT) + 30)
        writer.send_signal(signal.SIGINT)
        rest, complaints = writer.communicate(timeout=PATIENCE_S)
    finally:
        writer.kill()
    text = (seen + rest).decode()
    assert writer.returncode == 130
    assert b"Traceback" not in complaints
    assert text.startswith(PROMPT)
    assert text.endswith("\n")


def test_ctrl_c_ends_with_the_json_so_far(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(generation: Generation) -> None:
        if len(generation.steps) >= 3:
            raise KeyboardInterrupt
        original(generation)

    original = Generation.step
    monkeypatch.setattr(Generation, "step", step)
    result = run("generate", PROMPT, "-n", 100000, "--context", 64, "--json")
    record = json.loads(result.out, parse_constant=no_constants)
    assert (result.status, result.err) == (130, "")
    assert record["stop_reason"] == "stopped"
    assert record["text"].startswith(PROMPT)
    assert len(record["steps"]) >= 3


def test_help_and_version(run: Run) -> None:
    for option, part in (("--help", "generate"), ("--version", "atlas-viewer ")):
        result = run(option)
        assert (result.status, result.err) == (0, "")
        assert part in result.out
