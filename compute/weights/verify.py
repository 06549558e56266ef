"""A check of every value of a checkpoint: which tensors contain values that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compute.models.architectures import parameter_shapes

from .checkpoint import WeightSource

_SLAB = 8 << 20  # bytes checked per step
# Masks of the exponent, whose bits are all set in NaN and infinity, and of the fraction, which is not 0 in NaN.
_BITS = {
    "float32": (np.uint32, 0x7F800000, 0x007FFFFF),
    "float16": (np.uint16, 0x7C00, 0x03FF),
    "bfloat16": (np.uint16, 0x7F80, 0x007F),
}


@dataclass(frozen=True)
class TensorReport:
    """Counts of one tensor. `first` is the index of the first value that is not finite, None if all are."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nan: int
    infinite: int
    first: tuple[int, ...] | None


def verify(source: WeightSource, progress: Callable[[float], None] | None = None) -> list[TensorReport]:
    """Report on every tensor, in the order in which the model uses them. Opening the model has checked the shapes.

    Reads a few megabytes per step. `progress` is called with the completed fraction after each tensor.
    """
    shapes = parameter_shapes(source.config)
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    done = 0
    reports = []
    for name, shape in shapes.items():
        values = source.tensor(name)
        reports.append(_report(name, values))
        source.release(name)
        done += int(np.prod(shape))
        if progress:
            progress(done / total)
    return reports


def _report(name: str, values: np.ndarray) -> TensorReport:
    # In stored order: rows of a transposed view are scattered over the file.
    transposed = values.ndim == 2 and not values.flags.c_contiguous
    stored = values.T if transposed else values
    word, exponent, fraction = _BITS[values.dtype.name]
    step = max(1, _SLAB // max(1, stored[:1].nbytes))
    nan = infinite = 0
    indices: list[tuple[int, ...]] = []
    for start in range(0, len(stored), step):
        # By bits: arithmetic on half precision is slow, and on NaN unreliable.
        bits = np.ascontiguousarray(stored[start : start + step]).view(word)
        nonfinite = (bits & exponent) == exponent
        if not nonfinite.any():
            continue
        nans = int(((bits & fraction) != 0)[nonfinite].sum())
        nan += nans
        infinite += int(nonfinite.sum()) - nans
        where = np.argwhere(nonfinite)
        where[:, 0] += start
        if transposed:
            where = where[:, ::-1]
        indices.append(min(tuple(int(i) for i in index) for index in where))
    return TensorReport(name, values.shape, values.dtype.name, nan, infinite, min(indices, default=None))
