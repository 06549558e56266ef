"""How values become colors, and the axis on which the controls show it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compute.views.palettes import SAMPLINGS
from compute.views.palettes import ColorMapping as ColorMapping

__all__ = ["SAMPLINGS", "SCALES", "Axis", "ColorMapping", "brightness"]

SCALES = ("tensor", "all")


class Axis:
    """A value axis from 0 to 1 on which all bins of a histogram are equally wide."""

    def __init__(self, edges: Sequence[float]) -> None:
        """edges: the bin edges, ascending; the first and the last may be infinite."""
        self.edges = tuple(edges)

    def value_at(self, x: float) -> float:
        """The value at `x`, 0 to 1; linear within a bin."""
        bins = len(self.edges) - 1
        position = min(max(x, 0.0), 1.0) * bins
        number = min(int(position), bins - 1)
        low, high = self._bounds(number)
        return low + (high - low) * (position - number)

    def x_at(self, value: float) -> float:
        """The position of `value`, 0 to 1."""
        bins = len(self.edges) - 1
        for number in range(bins):
            low, high = self._bounds(number)
            if value < high or number == bins - 1:
                return (number + min(max((value - low) / (high - low), 0.0), 1.0)) / bins
        return 1.0

    def _bounds(self, number: int) -> tuple[float, float]:
        low, high = self.edges[number], self.edges[number + 1]
        if math.isinf(low):
            low = 2 * high
        if math.isinf(high):
            high = 2 * low
        return low, high


def brightness(value: float, low: float, high: float) -> float:
    """Brightness of a value, 0.04 to 1; zero gets 0.05. low, high: the magnitudes shown darkest and brightest."""
    if value == 0:
        return 0.05
    if not math.isfinite(value):
        return 1.0
    share = (abs(value) - low) / max(high - low, 1e-12)
    return max(0.04, math.sqrt(min(1.0, max(0.0, share))))
