"""Files of tuned and Jacobian lenses: an affine map for some points of the residual stream.

A .npz or .safetensors file with arrays `POINT.weight` [C, C] (out, in) and `POINT.bias` [C]; the lens reads
h W^T + b in place of h. Without a bias b is 0. Pickled data is never loaded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compute.errors import CheckpointError, UsageError
from compute.io.array_files import SUFFIXES
from compute.io.escape import one_line
from compute.io.system_errors import first_line, read_errors_as
from compute.models.description import Description
from compute.models.transformerlens import names_by_transformerlens
from compute.weights.dtypes import DTYPES
from compute.weights.safetensors_file import TYPE_NAMES, SafetensorsFile

from .points import lens_points

_KINDS = ("weight", "bias")
_LONGEST_REASON = 200  # characters
# What reading a damaged .npz file raises.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError)
_HEADER = 4096  # bytes, more than the header of an array in a .npz file


@dataclass(frozen=True, eq=False)
class LensFile:
    """The maps of a file by point, in the order of the points: weight float32 [C, C] (out, in), bias float32 [C].

    Points without an entry are read as they are.
    """

    path: Path
    channels: int
    entries: dict[str, tuple[np.ndarray, np.ndarray]]


def read_lens_file(path: Path | str, description: Description) -> LensFile:
    """Read and check a lens file for a model.

    Points have this project's or TransformerLens' names. Raises `UsageError` for another suffix, `CheckpointError` for
    a file that cannot be read, or whose names, shapes or values do not suit the model.
    """
    path, shown = Path(path), one_line(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{shown}: a lens file ends in {' or '.join(SUFFIXES)}; convert it to one of them")
    points, channels = lens_points(description), description.outputs[lens_points(description)[-1]].columns
    arrays: dict[tuple[str, str], np.ndarray] = {}
    with read_errors_as(CheckpointError, shown):
        for name, values in _arrays(path, shown, channels):
            point, kind = _meaning(name, shown, description, points)
            if (point, kind) in arrays:
                raise CheckpointError(f"{shown}: has two arrays for {point}.{kind}; keep one")
            arrays[point, kind] = _checked(values, name, kind, shown, channels)
    entries = {}
    for point in points:
        weight, bias = (arrays.pop((point, kind), None) for kind in _KINDS)
        if weight is not None:
            entries[point] = weight, np.zeros(channels, np.float32) if bias is None else bias
        elif bias is not None:
            raise CheckpointError(f"{shown}: {point}.bias has no {point}.weight; add it (no identity is implied)")
    if not entries:
        raise CheckpointError(f"{shown}: has no lens; it needs arrays such as {points[-1]}.weight")
    return LensFile(path, channels, entries)


def _arrays(path: Path, shown: str, channels: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and arrays of the file as it stores them."""
    if path.suffix.lower() == ".npz":
        yield from _npz_arrays(path, shown, channels)
        return
    with closing(SafetensorsFile(path)) as file:
        for name, stored in file.tensors.items():
            if stored.dtype not in TYPE_NAMES:
                raise CheckpointError(
                    f"{shown}: {one_line(name, 80)} is of type {one_line(stored.dtype, 20)}; store one of"
                    f" {', '.join(TYPE_NAMES)}"
                )
            yield name, file.tensor(name)


def _npz_arrays(path: Path, shown: str, channels: int) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.file_size > 8 * channels * channels + _HEADER:
                    raise CheckpointError(
                        f"{shown}: {one_line(entry.filename, 80)} is larger than {channels} x {channels} numbers;"
                        " use a lens of this model"
                    )
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                yield name, file[name]
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise CheckpointError(
            f"{shown}: is not a valid .npz file ({one_line(first_line(error), 200)}); copy it again"
        ) from None


def _meaning(name: str, shown: str, description: Description, points: tuple[str, ...]) -> tuple[str, str]:
    """The point and kind that an array's name stands for."""
    given, _, kind = name.rpartition(".")
    point = description.canonical(names_by_transformerlens(description).get(given, given))
    if kind not in _KINDS or point not in points:
        raise CheckpointError(
            f"{shown}: {one_line(name, 80)} is not part of a lens of this model; names are {points[0]}.weight,"
            f" {points[0]}.bias, ... {points[-1]}.bias"
        )
    return point, kind


def _checked(values: object, name: str, kind: str, shown: str, channels: int) -> np.ndarray:
    """The array as float32. Raises `CheckpointError` for another shape or type, or values that are not finite."""
    wanted = (channels, channels) if kind == "weight" else (channels,)
    if not isinstance(values, np.ndarray) or not (values.dtype.kind == "f" or values.dtype in DTYPES.values()):
        raise CheckpointError(f"{shown}: {one_line(name, 80)} is no array of floats; store float32")
    if values.shape != wanted:
        raise CheckpointError(
            f"{shown}: {one_line(name, 80)} has shape {list(values.shape)}, this model needs {list(wanted)};"
            " use a lens of this model"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.array(values, np.float32, order="C")
    if not np.isfinite(result).all():
        count = int(np.count_nonzero(~np.isfinite(result)))
        raise CheckpointError(f"{shown}: {one_line(name, 80)} has {count} values that are not finite; use another file")
    return result
