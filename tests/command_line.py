"""Running the command line in the process of the test."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from atlas_viewer.cli.entry import main

Run = Callable[..., SimpleNamespace]


def runner(capsys: pytest.CaptureFixture[str], *first: str) -> Run:
    """Runs a command that begins with `first`: status, out, err."""

    def command(*arguments: object) -> SimpleNamespace:
        status = main([*first, *map(str, arguments)])
        captured = capsys.readouterr()
        return SimpleNamespace(status=status, out=captured.out, err=captured.err)

    return command
