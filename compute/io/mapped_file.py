"""A read-only memory-mapped file, with views of its values and a way to release their pages."""

from __future__ import annotations

import mmap
import os
import stat
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np


class MappedFile:
    """A regular file, mapped in full. Only the pages that are read take up memory."""

    def __init__(self, path: Path) -> None:
        """Map `path`. Raises `OSError` if that fails, ValueError if the file is empty or not a regular file."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a regular file")
            self.size = status.st_size
            self._map: mmap.mmap | None = mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_READ)

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._map is None

    def view(self, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> np.ndarray:
        """A read-only view of the values from byte `offset` on, in C order. Raises ValueError after `close`."""
        if self._map is None:
            raise ValueError("the file is closed")
        return np.frombuffer(self._map, dtype=dtype, count=prod(shape), offset=offset).reshape(shape)

    def drop(self, offset: int, nbytes: int) -> None:
        """Release the pages of the `nbytes` from `offset` on; a view that is still in use reads them again."""
        # Windows has no madvise; there the system decides which mapped pages stay in memory.
        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        first = offset // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, first, offset + nbytes - first)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        mapped, self._map = self._map, None
        if mapped is not None:
            # While views exist, the mapping stays; it is removed with the last view.
            with suppress(BufferError):
                mapped.close()
