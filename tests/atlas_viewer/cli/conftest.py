"""Fixtures of the command-line tests."""

from __future__ import annotations

import pytest

from helpers.command_line import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)
