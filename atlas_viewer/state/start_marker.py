"""Tells whether the last start came to its end: a damaged setting may end the program before it can say so."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import filelock


class StartMarker:
    """A locked file that lies beside the settings from the moment they are used until some frames have been drawn.

    The lock goes with its process, however that ends; so a file without a lock was left by a start that failed.
    """

    def __init__(self, settings: Path) -> None:
        self._path = settings.with_name(f"{settings.name}.starting")
        self._lock: filelock.BaseFileLock | None = None

    def set(self) -> bool:
        """Begin a start; returns whether the one before has failed.

        Nothing is known, and nothing noted, while another process starts, or where the file cannot be written.
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
        """The start has come to its end."""
        if self._lock is None:
            return
        self._lock.release()
        self._lock = None
        with suppress(OSError):
            self._path.unlink()

    def leave(self) -> None:
        """The start has failed: let the next one know."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
