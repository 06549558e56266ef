"""Reading .npy and .npz files without trusting them.

Pickled objects are never loaded, and no array is allocated before it is known that the file contains that much data.
Whatever is wrong with a file is a ValueError whose text is the reason, or an `OSError`.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from .escape import one_line
from .system_errors import first_line

_SUFFIX = ".npy"
_MAGIC = np.lib.format.MAGIC_PREFIX
_HEADERS = {b"\1\0": np.lib.format.read_array_header_1_0, b"\2\0": np.lib.format.read_array_header_2_0}  # by version
# What reading a damaged archive or header raises, apart from ValueError and OSError.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, LookupError, NotImplementedError, RuntimeError, SyntaxError, TypeError,
    AttributeError, OverflowError, tokenize.TokenError,
)  # fmt: skip


def read_npy(path: Path | str) -> np.ndarray:
    """The array of a .npy file. Raises `OSError`, ValueError."""
    with _damage_as_value_error(), open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        return _array(file, size)


class NpzFile:
    """A .npz file: its names, and its arrays when they are asked for. `names` contains a name twice if the file does.

    Raises `OSError`, ValueError.
    """

    def __init__(self, path: Path | str) -> None:
        with _damage_as_value_error():
            self._archive = _archive(path)
        self._entries = [(entry.filename.removesuffix(_SUFFIX), entry) for entry in self._archive.infolist()]
        self.names = tuple(name for name, _ in self._entries)

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the array of that name, which `names` must contain. Raises `OSError`, ValueError."""
        with self._opened(name) as (stream, _, where):
            return _header(stream, where)[0]

    def array(self, name: str) -> np.ndarray:
        """The array of that name, which `names` must contain. Raises `OSError`, ValueError."""
        with self._opened(name) as (stream, size, where):
            return _array(stream, size, where)

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[IO[bytes], int, str]]:
        """The stream with the array of that name, its size in bytes, and what begins the reason of a ValueError."""
        entry = next(entry for known, entry in self._entries if known == name)
        shown = one_line(entry.filename, 80)
        if not entry.filename.endswith(_SUFFIX):
            raise ValueError(f"{shown} in it is not an array")
        with _damage_as_value_error(), self._archive.open(entry) as stream:
            yield stream, entry.file_size, f"{shown} "


def _archive(path: Path | str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                raise ValueError("is a single array, not a .npz file") from None
        raise


def _header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in the order of Fortran, and type of the array that begins here."""
    start = stream.read(len(_MAGIC) + 2)
    read_header = _HEADERS.get(start.removeprefix(_MAGIC)) if start.startswith(_MAGIC) else None
    if read_header is None:
        raise ValueError(f"{where}is not an array in a format of NumPy that can be read")
    shape, fortran_order, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{where}contains pickled objects, which are never loaded")
    return shape, fortran_order, dtype


def _array(stream: IO[bytes], size: int, where: str = "") -> np.ndarray:
    """The array in a stream of `size` bytes. where: begins the reason of a ValueError."""
    shape, fortran_order, dtype = _header(stream, where)
    nbytes, there = dtype.itemsize * math.prod(shape), max(size - stream.tell(), 0)
    data = stream.read(nbytes) if 0 <= nbytes <= there else b""
    if len(data) != nbytes:
        raise ValueError(f"{where}has shape {list(shape)}, which takes {nbytes} bytes, but contains {there}")
    values = np.frombuffer(data, dtype)
    return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ValueError(one_line(first_line(error), 200)) from None
