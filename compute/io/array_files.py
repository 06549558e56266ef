"""Files of arrays, written one array after another, so that only one or two are in memory.

A .npy file contains a single array and nothing about its origin. A .npz or .safetensors file contains named arrays and,
if given, metadata: in .npz a JSON object in the text array `metadata`, in .safetensors the header's `__metadata__`.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from compute.errors import OutputError, UsageError

from .escape import one_line
from .output_files import new_file, output_file
from .size_text import size_text
from .system_errors import write_errors_as

SUFFIXES = (".npz", ".safetensors")
SINGLE = ".npy"  # for one array
_METADATA = "metadata"  # the name of the array in a .npz file
_TYPES = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32"}


@dataclass(frozen=True)
class ArraySpec:
    """An array before its values are known."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.dtype.itemsize * math.prod(self.shape)


def check_space(path: Path | str, nbytes: int, advice: str = "name fewer tensors or choose another path") -> None:
    """Raise `OutputError` when the disk that a file at `path` would be on has less than `nbytes` bytes free."""
    target = Path(path)
    if target.exists() and not target.is_file():
        return  # a device
    with write_errors_as(OutputError, one_line(target)):
        free = shutil.disk_usage(target.resolve().parent).free
    if nbytes > free:
        raise OutputError(
            f"{one_line(target)}: needs {size_text(nbytes)}, the disk has {size_text(free)} free; {advice}"
        )


def check_suffix(path: Path | str, *, single: bool = False) -> None:
    """Raise `UsageError` unless `path` is a path that ends in one of `SUFFIXES`; with `single` also in `SINGLE`."""
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"the path is of type {type(path).__name__}: give a string or a Path")
    allowed = (SINGLE, *SUFFIXES) if single else SUFFIXES
    if Path(path).suffix.lower() not in allowed:
        shown = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise UsageError(f"{one_line(path)}: give a name that ends in {shown}")


def write_arrays(path: Path | str, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write named float32 and int32 arrays to an .npz or .safetensors file. Raises `UsageError`, `OutputError`.

    A .safetensors file begins with all shapes, so its arrays are collected first: see `write_safetensors`.
    """
    check_suffix(path)
    if Path(path).suffix.lower() == ".npz":
        write_npz(path, arrays)
        return
    collected = list(arrays)
    specs = [ArraySpec(name, array.dtype, array.shape) for name, array in collected]
    write_safetensors(path, specs, (array for _, array in collected))


def write_new(
    path: Path | str, specs: Sequence[ArraySpec], arrays: Iterable[np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write `arrays`, which are as `specs` announces, to a new file of the format that the suffix names.

    A .npy file takes one array. Raises `UsageError` for another suffix, `OutputExistsError` when the file exists,
    `OutputError` when it cannot be written.
    """
    check_suffix(path, single=len(specs) == 1)
    match Path(path).suffix.lower():
        case ".npy":
            (array,) = arrays
            with new_file(path) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        case ".npz":
            names = (spec.name for spec in specs)
            write_npz(path, zip(names, arrays, strict=True), metadata, replace=False)
        case _:
            write_safetensors(path, specs, arrays, metadata, replace=False)


def write_npz(
    path: Path | str,
    arrays: Iterable[tuple[str, np.ndarray]],
    metadata: Mapping[str, str] | None = None,
    *,
    replace: bool = True,
) -> None:
    """Write `arrays` to an uncompressed .npz file as they come. Raises `OutputError`."""
    with _opened(path, replace) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        if metadata:
            _write_member(archive, _METADATA, np.asarray(json.dumps(metadata)))
        for name, array in arrays:
            _write_member(archive, name, array)


def write_safetensors(
    path: Path | str,
    specs: Sequence[ArraySpec],
    arrays: Iterable[np.ndarray],
    metadata: Mapping[str, str] | None = None,
    *,
    replace: bool = True,
) -> None:
    """Write `arrays`, which are as `specs` announces, to a .safetensors file as they come. Raises `OutputError`."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for spec in specs:
        start, end = end, end + spec.nbytes
        header[spec.name] = {"dtype": _TYPES[spec.dtype], "shape": list(spec.shape), "data_offsets": [start, end]}
    with _opened(path, replace) as file:
        _write_header(file, header)
        for spec, array in zip(specs, arrays, strict=True):
            if (array.shape, array.dtype) != (spec.shape, spec.dtype):
                raise ValueError(f"{spec.name}: is {array.dtype} {array.shape}, announced as {spec.dtype} {spec.shape}")
            file.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")


@contextmanager
def _opened(path: Path | str, replace: bool) -> Iterator[BinaryIO]:
    with output_file(path) if replace else new_file(path) as file:
        yield file


def _write_member(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    # Of a size that is not known yet, which needs the large form of an entry.
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def _write_header(file: BinaryIO, header: dict[str, object]) -> None:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
