"""The results of self-test checks: an error and its tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

# Tolerances.
KERNEL = 1e-5  # of one kernel: float32 sums of a few hundred products
PASS = 2e-4  # of a value after several layers
COLOR = 2 / 255  # of a color, which is rounded in the shader and again in the picture


@dataclass(frozen=True)
class Check:
    """The largest error of a comparison over `shapes`; `worst` says where it occurs.

    An error is the largest difference divided by the largest expected magnitude, or by 1 if that is smaller. Values
    that must be identical have error 0, or 1 when they differ. An unexpected infinity or NaN gives a non-finite error.
    `numbers` is False for picture colors, from 0 to 1, which are rounded to 8 bits.
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
    """A check of something that this adapter never runs, with the reason."""

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
    """The largest error of several comparisons. A NaN counts as the largest."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.worst = ""

    def close(self, actual: Any, expected: Any, what: str = "") -> None:
        """Compare numbers that may differ by rounding."""
        self._add(difference(actual, expected), what)

    def same(self, actual: Any, expected: Any, what: str = "") -> None:
        """Compare anything that must be equal. NaN equals NaN."""
        if isinstance(actual, np.ndarray) or isinstance(expected, np.ndarray):
            actual, expected = np.asarray(actual), np.asarray(expected)
            floats = actual.dtype.kind == expected.dtype.kind == "f"
            equal = np.array_equal(actual, expected, equal_nan=floats)
        else:
            equal = bool(actual == expected)
        self._add(0.0 if equal else 1.0, what)

    def colors(self, actual: Any, expected: Any, what: str = "") -> None:
        """Compare colors from 0 to 255."""
        self._add(difference(np.asarray(actual, np.float64) / 255, np.asarray(expected, np.float64) / 255), what)

    def check(self, name: str, shapes: str, tolerance: float, *, numbers: bool = True) -> Check:
        """Return all comparisons so far as one check."""
        return Check(name, shapes, self.largest, tolerance, self.worst, numbers)

    def _add(self, error: float, what: str) -> None:
        if math.isnan(self.largest) or error <= self.largest:
            return
        self.largest, self.worst = error, what
