"""One safetensors file, mapped: which tensors it has, and views of them without a copy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from .errors import CheckpointError
from .llmc import one_line
from .mapped_file import MappedFile, telling_failures

DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "F32": ("f32", np.dtype("<f4")),
    "F16": ("f16", np.dtype("<f2")),
    "BF16": ("bf16", np.dtype(ml_dtypes.bfloat16)),
}
"""What is read: the format's name of a type -> (ours, NumPy's)."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the file's header describes it. `offset` and `nbytes` are in bytes from the start of the file."""

    dtype: str  # as the format names it, such as "F32"
    shape: tuple[int, ...]
    offset: int
    nbytes: int


class SafetensorsFile:
    """An open file; its tensors by the names they have in it, in the order in which they lie there."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises `CheckpointError` when it cannot be read or its header is not sound."""
        shown = one_line(path)
        with telling_failures(shown):
            if path.stat().st_size == 0:
                raise CheckpointError(f"{shown}: is empty; fetch or copy it again")
            self._file = MappedFile(path)
        try:
            # The library holds the header against the file: sizes, types, gaps, overlaps.
            with safe_open(path, framework="numpy") as checked:
                names = list(checked.offset_keys())
        except (SafetensorError, OSError) as error:
            self._file.close()
            reason = str(error).removeprefix("Error while deserializing header: ")
            start = bytes(self._file_start(path))
            if start.startswith(b"version https://git-lfs"):
                reason = "it is a Git LFS pointer"
            raise CheckpointError(
                f"{shown}: is no sound safetensors file ({one_line(reason)}); fetch or copy it again"
            ) from None
        self.tensors = self._described(names)

    @staticmethod
    def _file_start(path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(64)

    def _described(self, names: list[str]) -> dict[str, StoredTensor]:
        """What the header says, which the library does not tell: where each tensor lies."""
        length = int(self._file.view(np.dtype("<u8"), (), 0))
        header = json.loads(self._file.view(np.dtype("u1"), (length,), 8).tobytes())
        described = {}
        for name in names:
            start, end = header[name]["data_offsets"]
            described[name] = StoredTensor(
                header[name]["dtype"], tuple(header[name]["shape"]), 8 + length + start, end - start
            )
        return described

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._file.closed

    def tensor(self, name: str) -> np.ndarray:
        """Tensor `name` as a read-only view in its stored type and shape; KeyError for an unknown name or type."""
        stored = self.tensors[name]
        return self._file.view(DTYPES[stored.dtype][1], stored.shape, stored.offset)

    def release(self, name: str) -> None:
        """Drop the mapped pages of tensor `name`."""
        stored = self.tensors[name]
        self._file.drop(stored.offset, stored.nbytes)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        self._file.close()
