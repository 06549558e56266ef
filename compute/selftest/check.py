"""What a check of the self-test finds: an error, and how large it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

KERNEL = 1e-5  # tolerance of one kernel: float32 sums of some hundred products
PASS = 2e-4  # of a value after several layers
COLOR = 2 / 255  # of a color: rounding may go either way, once in the shader and once in the picture


@dataclass(frozen=True)
class Check:
    """The largest error of something that was compared over `shapes`; `worst` says where it is.

    An error is the largest difference over the largest magnitude of what is expected, at least 1. What must be the same
    bit for bit has error 0, or 1 when it is not. Infinite or NaN where that is not expected gives an error that is not
    finite. `numbers` is False for colors of pictures, from 0 to 1, which are rounded to 8 bits.
    """

    name: str
    shapes: str
    error: float
    tolerance: float
    worst: str = ""
    numbers: bool = True

    @property
    def ok(self) -> bool:
        """True when the error is finite and within the tolerance."""
        return math.isfinite(self.error) and self.error <= self.tolerance


@dataclass(frozen=True)
class Skipped:
    """What this adapter never runs, and why."""

    name: str
    why: str


def difference(actual: Any, expected: Any) -> float:
    """The error of `actual` against `expected`, as `Check` defines it; 1 when the shapes differ."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if actual.shape != expected.shape:
        return 1.0
    if not actual.size:
        return 0.0
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, np.abs(actual - expected))
    finite = np.abs(expected[np.isfinite(expected)])
    return float(apart.max()) / max(1.0, float(finite.max(initial=0.0)))


class Errors:
    """The largest error of many comparisons; one that is NaN stays."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.worst = ""

    def close(self, actual: Any, expected: Any, what: str = "") -> None:
        """Numbers that may differ by rounding."""
        self._add(difference(actual, expected), what)

    def same(self, actual: Any, expected: Any, what: str = "") -> None:
        """What must be equal, NaN being equal to NaN; numbers, or anything else."""
        if isinstance(actual, np.ndarray) or isinstance(expected, np.ndarray):
            actual, expected = np.asarray(actual), np.asarray(expected)
            floats = actual.dtype.kind == expected.dtype.kind == "f"
            equal = np.array_equal(actual, expected, equal_nan=floats)
        else:
            equal = bool(actual == expected)
        self._add(0.0 if equal else 1.0, what)

    def colors(self, actual: Any, expected: Any, what: str = "") -> None:
        """Colors from 0 to 255."""
        self._add(difference(np.asarray(actual, np.float64) / 255, np.asarray(expected, np.float64) / 255), what)

    def check(self, name: str, shapes: str, tolerance: float, *, numbers: bool = True) -> Check:
        """All comparisons so far as one check."""
        return Check(name, shapes, self.largest, tolerance, self.worst, numbers)

    def _add(self, error: float, what: str) -> None:
        if math.isnan(self.largest) or error <= self.largest:
            return
        self.largest, self.worst = error, what
