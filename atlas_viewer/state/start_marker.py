"""Detects that the last start failed: a damaged setting may crash the program before it can report anything."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import filelock


class StartMarker:
    """A locked file next to the settings, which exists from loading them until a few frames have been drawn.

    The lock ends with its process, even after a crash. An unlocked file therefore comes from a failed start.
    """

    def __init__(self, settings: Path) -> None:
        self._path = settings.with_name(f"{settings.name}.starting")
        self._lock: filelock.BaseFileLock | None = None

    def set(self) -> bool:
        """Mark the beginning of a start. Returns True when the previous one failed.

        Returns False, without a marker, while another process is starting, or when the file cannot be written.
        """
        if not self._path.parent.is_dir():
            return False  # there are no settings yet
        failed = self._path.exists()
        lock = filelock.FileLock(self._path, timeout=0)
        try:
            lock.acquire()
        except (filelock.Timeout, OSError, NotImplementedError):
            return False
        self._lock = lock
        return failed

    def clear(self) -> None:
        """The start succeeded: remove the marker."""
        if self._lock is None:
            return
        self._lock.release()
        self._lock = None
        with suppress(OSError):
            self._path.unlink()

    def leave(self) -> None:
        """The start failed: leave the marker for the next one."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
