"""A memory-mapped safetensors file: its list of tensors, and views of them without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.mapped_file import MappedFile
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json

from .dtypes import DTYPES

TYPE_NAMES = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
"""Supported types: the format's name -> that in `DTYPES`."""

_LONGEST_REASON = 200  # characters
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the file's header describes it; `offset` is in bytes from the start of the file."""

    dtype: str  # the format's name, such as "F32"
    shape: tuple[int, ...]
    offset: int
    nbytes: int


class SafetensorsFile:
    """An open file. `tensors`: by their names in the file, in the order of their data."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises `CheckpointError` when it cannot be read or its header is invalid."""
        shown = one_line(path)
        with read_errors_as(CheckpointError, shown):
            if path.stat().st_size == 0:
                raise CheckpointError(f"{shown}: is empty; fetch or copy it again")
            self._file = MappedFile(path)
        try:
            self.tensors = self._read_header(self._checked_names(path, shown), shown)
        except CheckpointError:
            self._file.close()
            raise

    def _checked_names(self, path: Path, shown: str) -> list[str]:
        """Names of the tensors in the order of their data. Raises `CheckpointError` when the header is invalid."""
        start = self._file.view(np.dtype("u1"), (min(self._file.size, len(_LFS_POINTER)),), 0).tobytes()
        if start == _LFS_POINTER:
            raise CheckpointError(f"{shown}: is a Git LFS pointer, not the file itself; fetch or copy it again")
        try:
            # The library checks the header against the file: sizes, types, gaps, overlaps.
            with safe_open(path, framework="numpy") as file:
                return list(file.offset_keys())
        except (SafetensorError, OSError) as error:
            raise _invalid(shown, str(error).removeprefix("Error while deserializing header: ")) from None

    def _read_header(self, names: list[str], shown: str) -> dict[str, StoredTensor]:
        """Read the header for the offsets of the tensors, which the library does not report."""
        length = int(self._file.view(np.dtype("<u8"), (), 0))
        try:
            header = read_untrusted_json(self._file.view(np.dtype("u1"), (length,), 8).tobytes())
        except ValueError as error:
            # The library ignores unknown fields, whatever they contain.
            raise _invalid(shown, str(error)) from None
        tensors = {}
        for name in names:
            start, end = header[name]["data_offsets"]
            tensors[name] = StoredTensor(
                header[name]["dtype"], tuple(header[name]["shape"]), 8 + length + start, end - start
            )
        return tensors

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._file.closed

    def tensor(self, name: str) -> np.ndarray:
        """Tensor `name` as a read-only view in its stored type and shape; KeyError for an unknown name or type."""
        stored = self.tensors[name]
        return self._file.view(DTYPES[TYPE_NAMES[stored.dtype]], stored.shape, stored.offset)

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`."""
        stored = self.tensors[name]
        self._file.drop(stored.offset, stored.nbytes)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        self._file.close()


def _invalid(shown: str, reason: str) -> CheckpointError:
    """reason: from a library; it may quote the file at any length."""
    shortened = one_line(reason, _LONGEST_REASON)
    return CheckpointError(f"{shown}: is not a valid safetensors file ({shortened}); fetch or copy it again")
