"""Opens recordings from the window, each in a new window with its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from atlas_viewer.recording.reader import Recording
from compute.errors import OutputError


class RecordingWindows:
    """Starts windows, which stay open when this one is closed."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def open(self, path: Path) -> None:
        """Open a recording. Raises `RecordingError` if it cannot be read, `OutputError` if the process cannot start."""
        with Recording(path):
            pass
        self._processes = [process for process in self._processes if process.poll() is None]
        command = [sys.executable, "-m", "atlas_viewer", "session", "replay", "--", str(path.absolute())]
        try:
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
        except OSError as error:
            raise OutputError(f"{sys.executable}: cannot be started ({error.strerror}); open the recording with"
                              " `atlas-viewer session replay`") from None  # fmt: skip
