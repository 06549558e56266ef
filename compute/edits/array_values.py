"""Values of edits that are read from files of arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from compute.errors import UsageError
from compute.io.escape import one_line

from .grammar import Edit
from .targets import Target, nearest
from .values import ArrayFile, FileMean

_DAMAGED = (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, NotImplementedError)


def file_array(edit: Edit, file: ArrayFile) -> np.ndarray:
    """The array of a .npy file times its factor, float32. Raises `UsageError`."""
    array = _numbers(edit, file.path, _load(edit, file.path))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: np.ndarray = (array.astype(np.float64) * file.scale).astype(np.float32)
    return scaled


def file_row(edit: Edit, file: FileMean, target: Target) -> np.ndarray:
    """The array of the target in a .npz file averaged over its tokens: float32 [columns]. Raises `UsageError`."""
    archive = _load(edit, file.path)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UsageError(f"edit {edit.shown}: {one_line(file.path)} is a single array, not a .npz file")
    name = next((name for name in (target.name, *target.same, target.point) if name in archive), None)
    if name is None:
        near = ", ".join(nearest(target.name, archive.files))
        raise UsageError(f"edit {edit.shown}: {one_line(file.path)} has no {target.name}; it has {one_line(near, 80)}")
    try:
        array = _numbers(edit, file.path, archive[name])
    except _DAMAGED as error:
        raise _unreadable(edit, file.path, error) from None
    finally:
        archive.close()
    rows = array.reshape(len(array), -1) if array.ndim in (2, 3) and array.size else array
    if name == target.point != target.name and rows.ndim == 2:  # of queries, keys and values together
        rows = rows[:, target.base : target.base + target.columns]
    if target.kind.of_attention or rows.ndim != 2 or rows.shape[1] != target.columns:
        shape = " x ".join(map(str, array.shape))
        raise UsageError(
            f"edit {edit.shown}: {one_line(name)} in {one_line(file.path)} is {shape}, but {target.name} is"
            f" {target.shape_text}"
        )
    mean: np.ndarray = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _load(edit: Edit, path: str) -> Any:
    if not Path(path).is_file():
        raise UsageError(f"edit {edit.shown}: {one_line(path)}: no such file")
    try:
        return np.load(path, allow_pickle=False)
    except _DAMAGED as error:
        raise _unreadable(edit, path, error) from None


def _numbers(edit: Edit, path: str, array: Any) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise UsageError(f"edit {edit.shown}: {one_line(path)} does not contain an array of numbers")
    return array


def _unreadable(edit: Edit, path: str, error: Exception) -> UsageError:
    why = one_line(str(error).splitlines()[0] if str(error) else type(error).__name__, 80)
    return UsageError(f"edit {edit.shown}: {one_line(path)}: cannot be read ({why})")
