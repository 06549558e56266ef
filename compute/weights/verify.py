"""Every value of a checkpoint looked at once: which tensors have some that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compute.models.config import parameter_shapes

from .checkpoint import WeightSource

_SLAB = 8 << 20  # bytes looked at at a time
# Bits of the exponent, which are all set in what is not finite, and of the fraction, which tell NaN from infinity.
_BITS = {
    "float32": (np.uint32, 0x7F800000, 0x007FFFFF),
    "float16": (np.uint16, 0x7C00, 0x03FF),
    "bfloat16": (np.uint16, 0x7F80, 0x007F),
}


@dataclass(frozen=True)
class TensorReport:
    """What one tensor holds. `first` is the index of the first value that is not finite, None when all are."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nan: int
    infinite: int
    first: tuple[int, ...] | None


def verify(source: WeightSource, progress: Callable[[float], None] | None = None) -> list[TensorReport]:
    """A report on every tensor, in the order in which the model runs; that it has its shape was checked by opening.

    Reads a few megabytes at a time. `progress` is called with the fraction done after each tensor.
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
    # As it is stored: rows of a transposed view are far apart in the file.
    turned = values.ndim == 2 and not values.flags.c_contiguous
    stored = values.T if turned else values
    word, exponent, fraction = _BITS[values.dtype.name]
    step = max(1, _SLAB // max(1, stored[:1].nbytes))
    nan = infinite = 0
    places: list[tuple[int, ...]] = []
    for start in range(0, len(stored), step):
        # By its bits: arithmetic on half precision is slow, and of NaN not to be relied on.
        bits = np.ascontiguousarray(stored[start : start + step]).view(word)
        odd = (bits & exponent) == exponent
        if not odd.any():
            continue
        nans = int(((bits & fraction) != 0)[odd].sum())
        nan += nans
        infinite += int(odd.sum()) - nans
        where = np.argwhere(odd)
        where[:, 0] += start
        if turned:
            where = where[:, ::-1]
        places.append(min(tuple(int(i) for i in at) for at in where))
    return TensorReport(name, values.shape, values.dtype.name, nan, infinite, min(places, default=None))
