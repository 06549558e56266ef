"""A file that grows while the program runs; its content is valid after every write."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from compute.errors import OutputError

from .escape import one_line
from .output_files import write_output
from .system_errors import write_errors_as


class GrowingFile:
    """An unbuffered file that pieces are appended to. Each piece is written completely or not at all."""

    def __init__(self, path: Path) -> None:
        """Create an empty file at `path`, replacing any existing one. Raises `OutputError`."""
        write_output(path, b"")
        self._shown = one_line(path)
        with write_errors_as(OutputError, self._shown):
            self._file = path.open("ab", buffering=0)
        self._size = 0  # bytes of complete pieces

    def append(self, piece: bytes) -> None:
        """Write `piece`. Raises `OutputError`; the file then ends with the previous piece."""
        left = memoryview(piece)
        with write_errors_as(OutputError, self._shown, "the earlier content is kept", "can no longer be written to"):
            try:
                while left:
                    left = left[self._file.write(left) :]
            except OSError:
                with suppress(OSError):  # a pipe cannot be shortened
                    os.ftruncate(self._file.fileno(), self._size)
                raise
        self._size += len(piece)

    def close(self) -> None:
        """Flush the file to disk and close it. Raises `OutputError`."""
        with write_errors_as(OutputError, self._shown, "check the disk"), self._file:
            if self._file.seekable():  # not a pipe
                os.fsync(self._file.fileno())
