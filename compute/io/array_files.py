"""Files of named arrays, written one array after another, so that only one of them needs to be in memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from compute.errors import UsageError

from .escape import one_line
from .output_files import output_file

SUFFIXES = (".npz", ".safetensors")
_TYPES = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32"}


def check_suffix(path: Path | str) -> None:
    """Raise `UsageError` unless `path` ends in one of `SUFFIXES`."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UsageError(f"{one_line(path)}: give a name that ends in .npz or .safetensors")


def write_arrays(path: Path | str, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write named float32 and int32 arrays to an .npz or .safetensors file. Raises `UsageError`, `OutputError`.

    A .safetensors file begins with all shapes, so its arrays are collected first: see `write_safetensors`.
    """
    check_suffix(path)
    if Path(path).suffix.lower() == ".npz":
        write_npz(path, arrays)
        return
    collected = list(arrays)
    write_safetensors(path, [(name, array.dtype, array.shape) for name, array in collected], (a for _, a in collected))


def write_npz(path: Path | str, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write `arrays` to an uncompressed .npz file as they come."""
    with output_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays:
            # Of a size that is not known yet, which needs the large form of an entry.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def write_safetensors(
    path: Path | str,
    shapes: Sequence[tuple[str, np.dtype, tuple[int, ...]]],
    arrays: Iterable[np.ndarray],
) -> None:
    """Write `arrays`, which have the names, types and `shapes` given, to a .safetensors file as they come."""
    header: dict[str, object] = {}
    end = 0
    for name, dtype, shape in shapes:
        start, end = end, end + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": _TYPES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    with output_file(path) as file:
        _write_header(file, header)
        for (name, dtype, shape), array in zip(shapes, arrays, strict=True):
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"{name}: is {array.dtype} {array.shape}, announced as {dtype} {shape}")
            file.write(_c(array).data.cast("B") if array.size else b"")


def _write_header(file: BinaryIO, header: dict[str, object]) -> None:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)


def _c(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array)
