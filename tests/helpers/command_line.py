"""Running the command line in the process of the test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.main import main

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

Run = Callable[..., SimpleNamespace]
PROMPT = "Once upon a time, there was a"
TEXT = PROMPT + " little girl named Elara who lived in a small village surrounded by a beautiful and beautiful garden"


def runner(capsys: pytest.CaptureFixture[str], *first: str) -> Run:
    """Runs a command that begins with `first`: status, out, err."""

    def command(*arguments: object) -> SimpleNamespace:
        status = main([*first, *map(str, arguments)])
        captured = capsys.readouterr()
        return SimpleNamespace(status=status, out=captured.out, err=captured.err)

    return command


def assert_one_line(result: SimpleNamespace, status: int, *parts: str) -> None:
    """The command wrote one line only, to stderr; it contains `parts`."""
    assert result.status == status, result.err
    assert result.out == ""
    assert re.fullmatch(r"atlas-viewer: [^\n]+\n", result.err), result.err
    assert "unexpected" not in result.err
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err


def shell(*arguments: str, **environment: str | None) -> SimpleNamespace:
    """Runs the program as its users do; None removes a variable."""
    env = {key: value for key, value in (os.environ | environment).items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-m", "atlas_viewer", *arguments], cwd=ROOT, env=env, capture_output=True, timeout=PATIENCE_S
    )
    return SimpleNamespace(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def no_constants(name: str) -> object:
    """For `json.loads`: NaN and Infinity are not JSON."""
    raise AssertionError(f"{name} is not JSON")


def export(path: Path, *arguments: object) -> int:
    """The exit status of `session export` of a recording."""
    return main(["session", "export", str(path), *map(str, arguments)])
