"""Files of tuned and Jacobian lenses: an affine map for some points of the residual stream.

A .npz or .safetensors file with arrays `POINT.weight` [C, C] (out, in) and `POINT.bias` [C]; the lens reads
h W^T + b in place of h. Without a bias b is 0. Pickled data is never loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compute.errors import CheckpointError, UsageError
from compute.io.array_files import SUFFIXES
from compute.io.array_reading import NpzFile
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.models.description import Description
from compute.models.transformerlens import names_by_transformerlens
from compute.weights.dtypes import DTYPES
from compute.weights.safetensors_file import TYPE_NAMES, SafetensorsFile

from .points import lens_points

_KINDS = ("weight", "bias")


class _Stored(NamedTuple):
    """An array before it is read."""

    name: str
    shape: Sequence[int]
    read: Callable[[], np.ndarray]


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
    with read_errors_as(CheckpointError, shown, "give another file"):
        for stored in _stored(path, shown):
            point, kind = _meaning(stored.name, shown, description, points)
            if (point, kind) in arrays:
                raise CheckpointError(f"{shown}: has two arrays for {point}.{kind}; keep one")
            arrays[point, kind] = _checked(stored, kind, shown, channels)
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


def _stored(path: Path, shown: str) -> Iterator[_Stored]:
    """The arrays of the file."""
    if path.suffix.lower() == ".npz":
        with NpzFile(path) as npz:
            for name in npz.names:
                yield _Stored(name, npz.shape(name), partial(npz.array, name))
        return
    with closing(SafetensorsFile(path)) as file:
        for name, stored in file.tensors.items():
            if stored.dtype not in TYPE_NAMES:
                raise CheckpointError(
                    f"{shown}: {one_line(name, 80)} is of type {one_line(stored.dtype, 20)}; store one of"
                    f" {', '.join(TYPE_NAMES)}"
                )
            yield _Stored(name, stored.shape, partial(file.tensor, name))


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


def _checked(stored: _Stored, kind: str, shown: str, channels: int) -> np.ndarray:
    """The array as float32. Raises `CheckpointError` for another shape or type, or values that are not finite."""
    wanted, name = (channels, channels) if kind == "weight" else (channels,), one_line(stored.name, 80)
    if tuple(stored.shape) != wanted:  # before it is read: a damaged file may claim any size
        raise CheckpointError(
            f"{shown}: {name} has shape {list(stored.shape)}, this model needs {list(wanted)}; use a lens of this model"
        )
    values = stored.read()
    if not (values.dtype.kind == "f" or values.dtype in DTYPES.values()):
        raise CheckpointError(f"{shown}: {name} is not an array of floats; store float32")
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.array(values, np.float32, order="C")
    if not np.isfinite(result).all():
        count = int(np.count_nonzero(~np.isfinite(result)))
        values_are = "1 value that is" if count == 1 else f"{count} values that are"
        raise CheckpointError(f"{shown}: {name} has {values_are} not finite; use another file")
    return result
