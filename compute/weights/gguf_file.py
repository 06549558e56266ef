"""A memory-mapped GGUF file: its metadata, its list of tensors, and views of their bytes without a copy.

Read here rather than by the `gguf` library, for two reasons. The library trusts counts, offsets and lengths, so every
one of them would have to be checked before, which is all the work of reading the header. And it makes an array of each
string of the vocabulary, which takes seconds where walking over the strings takes a fraction of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.mapped_file import MappedFile
from compute.io.system_errors import read_errors_as

from .block_types import BLOCK_TYPES
from .dtypes import DTYPES
from .gguf_header import Header, InvalidHeader, read_header

_PLAIN = {0: "f32", 1: "f16", 30: "bf16"}
_BLOCKS = {2: "q4_0", 3: "q4_1", 6: "q5_0", 7: "q5_1", 8: "q8_0", 12: "q4_k", 13: "q5_k", 14: "q6_k"}
_SUPPORTED = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K"
_OTHERS = {
    9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip
_LONGEST_NAME = 80  # characters of a tensor's name in a message
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class GgufTensor:
    """A tensor as the header describes it.

    dtype: of `DTYPES` or `BLOCK_TYPES`; shape: as NumPy has it, the last dimension is contiguous; offset: in bytes from
    the start of the file.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


class GgufFile:
    """An open file. `metadata`: see `Header`; `tensors`: by name, in the order of the header."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises `CheckpointError` when it cannot be read, is invalid, or has tensors of other types."""
        self._shown = one_line(path)
        with read_errors_as(CheckpointError, self._shown):
            if path.stat().st_size == 0:
                raise CheckpointError(f"{self._shown}: is empty; fetch or copy it again")
            self._file = MappedFile(path)
        try:
            header = self._header()
            self.metadata = header.metadata
            self.tensors = {name: self._tensor(header, name) for name in header.tensors}
            self._check_overlaps()
        except CheckpointError:
            self._file.close()
            raise

    def _header(self) -> Header:
        data = self._file.view(np.dtype("u1"), (self._file.size,), 0)
        if data[: len(_LFS_POINTER)].tobytes() == _LFS_POINTER:
            raise CheckpointError(f"{self._shown}: is a Git LFS pointer, not the file itself; fetch or copy it again")
        try:
            return read_header(data.data)
        except InvalidHeader as error:
            raise CheckpointError(f"{self._shown}: {error}") from None

    def _tensor(self, header: Header, name: str) -> GgufTensor:
        info, shown = header.tensors[name], one_line(name, _LONGEST_NAME)
        count = prod(info.dimensions)
        if info.type in _PLAIN:
            dtype = _PLAIN[info.type]
            nbytes = count * DTYPES[dtype].itemsize
        elif info.type in _BLOCKS:
            dtype = _BLOCKS[info.type]
            kind = BLOCK_TYPES[dtype]
            if info.dimensions[0] % kind.values:
                raise self._invalid(f"{shown} has rows of {info.dimensions[0]} values, not blocks of {kind.values}")
            nbytes = count // kind.values * kind.nbytes
        else:
            stored = _OTHERS.get(info.type, f"type {info.type}")
            raise CheckpointError(
                f"{self._shown}: {shown} is stored as {stored}, which cannot run here; use a file with {_SUPPORTED}"
            )
        offset = header.data_start + info.offset
        if info.offset % header.alignment:
            raise self._invalid(f"{shown} is not aligned to {header.alignment} bytes")
        if offset + nbytes > self._file.size:
            raise CheckpointError(
                f"{self._shown}: is truncated: {shown} ends at byte {offset + nbytes}, the file has {self._file.size};"
                " fetch or copy it again"
            )
        return GgufTensor(dtype, tuple(reversed(info.dimensions)), offset, nbytes)

    def _check_overlaps(self) -> None:
        end, before = 0, ""
        for name, tensor in sorted(self.tensors.items(), key=lambda entry: entry[1].offset):
            if tensor.offset < end:
                names = f"{one_line(before, _LONGEST_NAME)} and {one_line(name, _LONGEST_NAME)}"
                raise self._invalid(f"{names} overlap")
            end, before = tensor.offset + tensor.nbytes, name

    def _invalid(self, reason: str) -> CheckpointError:
        return CheckpointError(f"{self._shown}: is not a valid GGUF file ({reason}); fetch or copy it again")

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._file.closed

    def tensor(self, name: str) -> np.ndarray:
        """Tensor `name` as a read-only view; quantized ones as uint8 [rows, bytes of a row]. KeyError if unknown."""
        stored = self.tensors[name]
        if stored.dtype in DTYPES:
            return self._file.view(DTYPES[stored.dtype], stored.shape, stored.offset)
        rows = prod(stored.shape[:-1])
        return self._file.view(np.dtype("u1"), (rows, stored.nbytes // rows), stored.offset)

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`."""
        stored = self.tensors[name]
        self._file.drop(stored.offset, stored.nbytes)

    def close(self) -> None:
        """Unmap the file; a second call does nothing."""
        self._file.close()
