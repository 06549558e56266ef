"""How values become colors, and the axis on which the controls show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from compute.views.palettes import CURVES, SAMPLINGS, curved, uncurved
from compute.views.palettes import ColorMapping as ColorMapping

__all__ = ["CURVES", "SAMPLINGS", "SCALES", "ColorMapping", "RangeAxis", "brightness", "spread"]

SCALES = ("tensor", "all")
_DEFAULT = ColorMapping()


@dataclass(frozen=True)
class RangeAxis:
    """The axis of a color bar, from 0 to 1, on which brightness grows evenly.

    low, high: the values at its ends; with one_sign False, low is -high and 0 is in the middle. curve: see
    `ColorMapping`.
    """

    low: float
    high: float
    curve: str
    one_sign: bool

    def share_at(self, x: float) -> float:
        """The share of the range at `x`, from 0 or, with values of both signs, from -1 to 1."""
        x = min(max(x, 0.0), 1.0)
        if self.one_sign:
            return uncurved(self.curve, x)
        return math.copysign(uncurved(self.curve, abs(2 * x - 1)), 2 * x - 1)

    def value_at(self, x: float) -> float:
        """The value at `x`, 0 to 1."""
        share = self.share_at(x)
        return self.low + share * (self.high - self.low) if self.one_sign else share * self.high

    def x_at(self, value: float) -> float:
        """The position of `value`, 0 to 1."""
        if self.high <= self.low:
            return 0.5
        if self.one_sign:
            return curved(self.curve, min(max((value - self.low) / (self.high - self.low), 0.0), 1.0))
        return (1 + math.copysign(curved(self.curve, min(abs(value) / self.high, 1.0)), value)) / 2

    def ticks(self) -> tuple[float, ...]:
        """Values to label, the most important first: the ends, 0, and positions between them."""
        shares = (0.1, 0.01) if self.curve == "log" else (0.25,) if self.curve == "root" else (0.5,)
        if self.low < 0 < self.high and self.one_sign:
            return (self.low, self.high, 0.0)
        if self.one_sign:
            inner = tuple(self.low + share * (self.high - self.low) for share in shares)
            return (self.low, self.high, *inner)
        inner = tuple(sign * share * self.high for share in shares for sign in (-1.0, 1.0))
        return (self.low, self.high, 0.0, *inner)


@lru_cache(maxsize=32)  # a frame needs few, and mostly those of the frame before
def spread(
    counts: tuple[int, ...], edges: tuple[float, ...], axis: RangeAxis, ends: tuple[float, float], columns: int
) -> tuple[float, ...]:
    """The histogram `counts` between `edges`, on `axis` in `columns` bins of equal width.

    The values of a bin are taken to be spread evenly over it. ends: the lowest and highest value, which cut the first
    and the last bin.
    """
    found = [0.0] * columns
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        low, high = max(left, ends[0]), min(right, ends[1])
        if not count:
            continue
        first, last = axis.x_at(min(low, high)) * columns, axis.x_at(max(low, high)) * columns
        for column in range(min(int(first), columns - 1), min(int(last), columns - 1) + 1):
            width = min(last, column + 1) - max(first, column)
            found[column] += count * (width / (last - first) if last > first else 1.0)
    return tuple(found)


def brightness(value: float, low: float, high: float, mapping: ColorMapping = _DEFAULT) -> float:
    """Brightness of a value, 0.04 to 1; zero gets 0.05. low, high: the magnitudes shown darkest and brightest."""
    if value == 0 and mapping.offset == 0:
        return 0.05
    if not math.isfinite(value):
        return 1.0
    share = (abs(value) - low) / max(high - low, 1e-12)
    return max(0.04, abs(mapping.level(math.copysign(min(1.0, max(0.0, share)), value))))
