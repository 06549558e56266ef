"""Running the command line in the process of the test."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.main import main

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
    """Nothing but one line on stderr, that has `parts` in it and says what to do."""
    assert result.status == status, result.err
    assert result.out == ""
    assert re.fullmatch(r"atlas-viewer: [^\n]+\n", result.err), result.err
    assert "unexpected" not in result.err
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err
