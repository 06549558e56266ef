"""Values of edits that are read from files of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from compute.errors import CheckpointError, UsageError
from compute.io.array_reading import NpzFile, read_npy
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as

from .grammar import Edit
from .targets import Target, nearest
from .values import ArrayFile, FileMean


def file_array(edit: Edit, file: ArrayFile) -> np.ndarray:
    """The array of a .npy file times its factor, float32.

    Raises `CheckpointError` when the file cannot be read, `UsageError` when it does not contain numbers.
    """
    with _reading(edit, file.path):
        array = _numbers(edit, file.path, read_npy(file.path))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: np.ndarray = (array.astype(np.float64) * file.scale).astype(np.float32)
    return scaled


def file_row(edit: Edit, file: FileMean, target: Target) -> np.ndarray:
    """The array of the target in a .npz file averaged over its tokens: float32 [columns].

    Raises `CheckpointError` when the file cannot be read, `UsageError` when its arrays do not fit.
    """
    with _reading(edit, file.path), NpzFile(file.path) as archive:
        name = next((name for name in (target.name, *target.same, target.point) if name in archive.names), None)
        if name is None:
            near = one_line(", ".join(nearest(target.name, archive.names)) or "no arrays", 80)
            raise UsageError(f"edit {edit.shown}: {one_line(file.path)} has no {target.name}; it has {near}")
        array = _numbers(edit, file.path, archive.array(name))
    rows = array.reshape(len(array), -1) if array.ndim in (2, 3) and array.size else array
    if name == target.point != target.name and rows.ndim == 2:  # of queries, keys and values together
        rows = target.taken(rows)
    if target.kind.of_attention or rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != target.columns:
        shape = " x ".join(map(str, array.shape))
        raise UsageError(
            f"edit {edit.shown}: {one_line(name)} in {one_line(file.path)} is {shape}, but {target.name} is"
            f" {target.shape_text}"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
        mean: np.ndarray = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


@contextmanager
def _reading(edit: Edit, path: str) -> Iterator[None]:
    with read_errors_as(CheckpointError, f"edit {edit.shown}: {one_line(path)}", "give another file"):
        yield


def _numbers(edit: Edit, path: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise UsageError(f"edit {edit.shown}: {one_line(path)} does not contain an array of numbers")
    return array
