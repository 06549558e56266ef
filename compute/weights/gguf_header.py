"""The header of a GGUF file: metadata and the list of tensors, read from untrusted bytes.

Nothing is allocated for a count or a length before it was compared with the bytes that are left. The format is
specified in docs/gguf.md of ggml.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np

from compute.io.escape import one_line

Value: TypeAlias = "int | float | bool | str | np.ndarray | Strings"
"""Of metadata; NumPy arrays for arrays of numbers."""

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_NUMBERS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_SMALLEST_STRING = 8  # bytes
_SMALLEST_FIELD = 8 + 4 + 1  # bytes of key, type and value
_SMALLEST_TENSOR = 8 + 4 + 8 + 4 + 8  # bytes of name, dimensions, type and offset
_MOST_DIMENSIONS = 4
_MOST_ENTRIES = 1 << 16  # tensors, and metadata fields: each takes more memory here than in the file
_ALIGNMENT = 32
_LARGEST_ALIGNMENT = 1 << 20
_LONGEST = 60  # characters in a message


class InvalidHeader(ValueError):
    """What is wrong with a file and what to do, as the end of a message."""


class Strings(Sequence[str]):
    """An array of strings, decoded when they are read: a vocabulary has 100,000, which only the tokenizer needs.

    Invalid UTF-8 is decoded with surrogate escapes, so that every entry keeps its bytes.
    """

    def __init__(self, data: bytes, starts: np.ndarray, ends: np.ndarray) -> None:
        """data: contains the strings; starts, ends: where each begins and ends, in bytes."""
        self._data, self._starts, self._ends = data, starts, ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return _text(self._data[int(self._starts[index]) : int(self._ends[index])])


@dataclass(frozen=True)
class TensorInfo:
    """A tensor. dimensions: the contiguous one first; type: the format's number; offset: from the start of the data."""

    dimensions: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True)
class Header:
    """metadata and tensors by name, in the order of the file; data_start: in bytes; alignment: of tensors, in bytes."""

    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]
    data_start: int
    alignment: int


def read_header(data: memoryview) -> Header:
    """Read the header of the file with these bytes. Raises `InvalidHeader`."""
    read = _Reader(data)
    if read.take(4) != _MAGIC:
        raise InvalidHeader("is not a GGUF file (it does not begin with GGUF); fetch or copy it again")
    version = read.u32()
    if version not in _VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in _VERSIONS:
            raise InvalidHeader("is a big-endian GGUF file, which cannot run here; use a little-endian one")
        raise InvalidHeader(f"is a GGUF file of version {version}; versions 2 and 3 are supported: convert it again")
    tensors, fields = read.u64(), read.u64()
    for count, what in ((tensors, "tensors"), (fields, "metadata fields")):
        if count > _MOST_ENTRIES:
            raise _invalid(f"it claims to have {count} {what}, at most {_MOST_ENTRIES} are possible")
    read.check_count(tensors, _SMALLEST_TENSOR, "tensors")
    read.check_count(fields, _SMALLEST_FIELD, "metadata fields")
    metadata: dict[str, Value] = {}
    for _ in range(fields):
        key = read.string()
        if key in metadata:
            raise _invalid(f"{_shown(key)} occurs twice")
        metadata[key] = read.value(read.u32())
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment % 8 or not 0 < alignment <= _LARGEST_ALIGNMENT:
        raise _invalid(f"its alignment is {_shown(str(alignment))}, must be a multiple of 8")
    _check_whole(metadata)
    infos: dict[str, TensorInfo] = {}
    for _ in range(tensors):
        name = read.string()
        if name in infos:
            raise _invalid(f"{_shown(name)} occurs twice")
        infos[name] = read.tensor(name)
    return Header(metadata, infos, -(-read.at // alignment) * alignment, alignment)


def _check_whole(metadata: dict[str, Value]) -> None:
    """Refuse parts of models."""
    parts = metadata.get("split.count", 0)
    if not isinstance(parts, int) or parts > 1:
        raise InvalidHeader(
            f"is one of {_shown(str(parts))} parts of a split model, which cannot run here; join them with"
            " llama-gguf-split --merge"
        )
    kind = metadata.get("general.type", "model")
    if kind != "model":
        raise InvalidHeader(f"contains a GGUF of type {_shown(str(kind))}, not a model; use the file of a whole model")


class _Reader:
    """Reads from `at` on. Raises `InvalidHeader` where the file ends too early."""

    def __init__(self, data: memoryview) -> None:
        self._data, self.at = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > len(self._data) - self.at:
            raise _truncated()
        self.at += count
        return self._data[self.at - count : self.at].tobytes()

    def u32(self) -> int:
        """An unsigned number of 4 bytes."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """An unsigned number of 8 bytes."""
        return int.from_bytes(self.take(8), "little")

    def string(self) -> str:
        """A length and that many bytes."""
        return _text(self.take(self.u64()))

    def check_count(self, count: int, smallest: int, what: str) -> None:
        """Refuse a count of things of at least `smallest` bytes that cannot be in what is left of the file."""
        left = len(self._data) - self.at
        if count * smallest > left:
            raise InvalidHeader(
                f"is truncated or damaged: it claims to have {count} {what}, {left} bytes are left; fetch or copy it"
                " again"
            )

    def value(self, kind: int) -> Value:
        """A metadata value of the type of that number."""
        if kind in _NUMBERS:
            dtype = np.dtype(_NUMBERS[kind])
            number: int | float | bool = np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()
            return number
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            raise _invalid(f"metadata has a value of type {kind}")
        inner, count = self.u32(), self.u64()
        if inner == _STRING:
            return self._strings(count)
        if inner not in _NUMBERS:
            raise _invalid(f"metadata has an array of values of type {inner}")
        dtype = np.dtype(_NUMBERS[inner])
        self.check_count(count, dtype.itemsize, "values")
        return np.frombuffer(self.take(count * dtype.itemsize), dtype)

    def _strings(self, count: int) -> Strings:
        self.check_count(count, _SMALLEST_STRING, "strings")
        data, begin, at, length = self._data, self.at, self.at, len(self._data)
        starts, ends = np.empty((2, count), np.int64)
        unpack = struct.Struct("<Q").unpack_from
        for index in range(count):
            if at + 8 > length:
                raise _truncated()
            (size,) = unpack(data, at)
            at += 8
            if size > length - at:
                raise _truncated()
            starts[index] = at - begin
            at += size
            ends[index] = at - begin
        self.at = at
        return Strings(data[begin:at].tobytes(), starts, ends)

    def tensor(self, name: str) -> TensorInfo:
        """The description of a tensor, after its name."""
        count = self.u32()
        if not 1 <= count <= _MOST_DIMENSIONS:
            raise _invalid(f"{_shown(name)} has {count} dimensions")
        dimensions = tuple(self.u64() for _ in range(count))
        if 0 in dimensions:
            raise _invalid(f"{_shown(name)} is empty")
        return TensorInfo(dimensions, self.u32(), self.u64())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    return one_line(text, _LONGEST)


def _truncated() -> InvalidHeader:
    return InvalidHeader("is truncated: its header does not end; fetch or copy it again")


def _invalid(reason: str) -> InvalidHeader:
    return InvalidHeader(f"is not a valid GGUF file ({reason}); fetch or copy it again")
