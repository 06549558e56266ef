"""Color palettes and color mappings: dark near zero, one hue for each sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

Rgb: TypeAlias = tuple[float, float, float]  # red, green, blue from 0 to 1, sRGB-encoded


@dataclass(frozen=True)
class Palette:
    """(darkest, brightest) color of negative and of positive values. Colors in between are linear mixes."""

    negative: tuple[Rgb, Rgb]
    positive: tuple[Rgb, Rgb]

    def at(self, share: float) -> Rgb:
        """The color at brightness |share|, 0 to 1, for the sign of `share`."""
        low, high = self.positive if share >= 0 else self.negative
        bright = min(abs(share), 1.0)
        red, green, blue = (a + (b - a) * bright for a, b in zip(low, high, strict=True))
        return (red, green, blue)

    def ramp(self, share: float) -> Rgb:
        """Color of a value that is `share`, -1 to 1, of the brightest one, as the shaders compute it."""
        bright = max(LEAST_BRIGHTNESS, math.sqrt(min(abs(share), 1.0)))
        return self.at(math.copysign(bright, share))


# The hues of the second and third can be told apart with any kind of color vision; they also differ in lightness.
PALETTES: dict[str, Palette] = {
    "demo": Palette(((0.02, 0.12, 0.30), (0.00, 0.78, 1.00)), ((0.18, 0.10, 0.02), (1.00, 0.82, 0.10))),
    "blue-orange": Palette(((0.03, 0.05, 0.12), (0.33, 0.62, 1.00)), ((0.12, 0.05, 0.02), (1.00, 0.60, 0.12))),
    "purple-green": Palette(((0.09, 0.03, 0.13), (0.82, 0.56, 1.00)), ((0.02, 0.10, 0.04), (0.52, 0.92, 0.40))),
}
SAMPLINGS = ("pool", "point")
LEAST_BRIGHTNESS = 0.08  # of a nonzero value


@dataclass(frozen=True)
class ColorMapping:
    """How values become colors.

    palette: a name in `PALETTES`. sampling: which of the values that a cell represents it shows: "pool" the one with
    the largest magnitude, non-finite values first; "point" the first one. span_scale: "tensor" (a range per tensor) or
    "all" (one range for all tensors). low, high: the magnitudes with the darkest and the brightest color; None for high
    means the largest finite magnitude.
    """

    palette: str = "demo"
    sampling: str = "pool"
    span_scale: str = "tensor"
    low: float = 0.0
    high: float | None = None
