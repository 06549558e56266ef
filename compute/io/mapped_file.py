"""A file mapped into memory, read only: views of it, and giving their pages back."""

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
    """The whole of a regular file. Only pages of views in use are in memory."""

    def __init__(self, path: Path) -> None:
        """Map `path`. Raises `OSError` when that fails, ValueError when the file is empty or no regular one."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no regular file")
            self.size = status.st_size
            self._map: mmap.mmap | None = mmap.mmap(file.fileno(), self.size, access=mmap.ACCESS_READ)

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._map is None

    def view(self, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> np.ndarray:
        """Values from byte `offset` on, read only, in C order. Raises ValueError after `close`."""
        if self._map is None:
            raise ValueError("the file is closed")
        return np.frombuffer(self._map, dtype=dtype, count=prod(shape), offset=offset).reshape(shape)

    def drop(self, offset: int, nbytes: int) -> None:
        """Let the pages of `nbytes` from `offset` on leave memory; a view that is still used reads them again."""
        # Windows has no madvise: there the system alone decides which mapped pages stay.
        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        first = offset // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, first, offset + nbytes - first)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        mapped, self._map = self._map, None
        if mapped is not None:
            # Where somebody still holds a view, the mapping goes with the last of them.
            with suppress(BufferError):
                mapped.close()
