"""One safetensors file, mapped: which tensors it has, and views of them without a copy."""

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
"""What is read: the format's name of a type -> ours."""

_LONGEST_REASON = 200  # characters
_LFS_POINTER = b"version https://git-lfs"


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
        with read_errors_as(CheckpointError, shown):
            if path.stat().st_size == 0:
                raise CheckpointError(f"{shown}: is empty; fetch or copy it again")
            self._file = MappedFile(path)
        try:
            self.tensors = self._described(self._checked(path, shown), shown)
        except CheckpointError:
            self._file.close()
            raise

    def _checked(self, path: Path, shown: str) -> list[str]:
        """Names of the tensors in the order in which they lie, or `CheckpointError` when the header is not sound."""
        start = self._file.view(np.dtype("u1"), (min(self._file.size, len(_LFS_POINTER)),), 0).tobytes()
        if start == _LFS_POINTER:
            raise CheckpointError(f"{shown}: is a Git LFS pointer, not the file itself; fetch or copy it again")
        try:
            # The library holds the header against the file: sizes, types, gaps, overlaps.
            with safe_open(path, framework="numpy") as checked:
                return list(checked.offset_keys())
        except (SafetensorError, OSError) as error:
            raise _unsound(shown, str(error).removeprefix("Error while deserializing header: ")) from None

    def _described(self, names: list[str], shown: str) -> dict[str, StoredTensor]:
        """What the header says, which the library does not tell: where each tensor lies."""
        length = int(self._file.view(np.dtype("<u8"), (), 0))
        try:
            header = read_untrusted_json(self._file.view(np.dtype("u1"), (length,), 8).tobytes())
        except ValueError as error:
            # The library skips over values that it does not know, whatever is in them.
            raise _unsound(shown, str(error)) from None
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
        return self._file.view(DTYPES[TYPE_NAMES[stored.dtype]], stored.shape, stored.offset)

    def release(self, name: str) -> None:
        """Drop the mapped pages of tensor `name`."""
        stored = self.tensors[name]
        self._file.drop(stored.offset, stored.nbytes)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        self._file.close()


def _unsound(shown: str, reason: str) -> CheckpointError:
    """reason: of a library; it may quote the file at any length."""
    shortened = one_line(reason, _LONGEST_REASON)
    return CheckpointError(f"{shown}: is no sound safetensors file ({shortened}); fetch or copy it again")
