"""A recording opens in a separate window: a process, started only for a readable file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from atlas_viewer.app.recording_windows import RecordingWindows
from compute.errors import OutputError, RecordingError

from helpers.paths import ROOT

SOUND = ROOT / "tests" / "data" / "version_0.1.0" / "cli.atlas"


class Process:
    """Stands in for the process of a window."""

    def __init__(self, command: list[str], **_options: object) -> None:
        self.command = command

    def poll(self) -> int | None:
        return None


def test_a_recording_opens_in_a_separate_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Process] = []

    def start(command: list[str], **options: object) -> Process:
        started.append(Process(command, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    RecordingWindows().open(SOUND)
    assert [process.command for process in started] == [
        [sys.executable, "-m", "atlas_viewer", "session", "replay", "--", str(SOUND)]
    ]


def test_a_file_that_is_not_a_recording_starts_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def start(command: list[str], **_options: object) -> None:
        raise AssertionError(command)

    monkeypatch.setattr(subprocess, "Popen", start)
    bad = tmp_path / "bad.atlas"
    bad.write_text("no recording")
    for path in (bad, tmp_path / "none.atlas"):
        with pytest.raises(RecordingError, match=path.name):
            RecordingWindows().open(path)


def test_a_process_that_cannot_be_started_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(OutputError, match="atlas-viewer session replay"):
        RecordingWindows().open(SOUND)
