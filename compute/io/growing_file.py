"""A file that grows while the program runs, and of which everything written so far counts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from compute.errors import OutputError

from .escape import one_line
from .output_files import write_output
from .system_errors import write_errors_as


class GrowingFile:
    """Pieces are appended at once, and each is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Begin with an empty file in the place of what is at `path`. Raises `OutputError`."""
        write_output(path, b"")
        self._shown = one_line(path)
        with write_errors_as(OutputError, self._shown):
            self._file = path.open("ab", buffering=0)
        self._size = 0  # bytes of whole pieces

    def append(self, shard: bytes) -> None:
        """Write `shard`. Raises `OutputError`; then the file ends with the piece before it."""
        left = memoryview(shard)
        with write_errors_as(OutputError, self._shown, "what was written before is kept", "cannot be written any more"):
            try:
                while left:
                    left = left[self._file.write(left) :]
            except OSError:
                with suppress(OSError):  # a pipe cannot be shortened
                    os.ftruncate(self._file.fileno(), self._size)
                raise
        self._size += len(shard)

    def close(self) -> None:
        """Have it on the disk. Raises `OutputError`."""
        with write_errors_as(OutputError, self._shown, "check the disk"), self._file:
            if self._file.seekable():  # no pipe
                os.fsync(self._file.fileno())
