"""The colors of the Lens panel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from compute.views.attention_colors import ATTENTION_COLORS, AttentionColors
from compute.views.palettes import Rgb, contrast

_KNOWN: dict[str, Rgb] = {"dark": (1.0, 0.56, 0.16), "light": (0.86, 0.33, 0.0)}
_AGREES = 0.55  # on the ramp
LIGHT_INK: Rgb = (0.94, 0.95, 0.97)  # texts on cells
DARK_INK: Rgb = (0.04, 0.05, 0.08)


@dataclass(frozen=True)
class LensColors:
    """Colors of cells, a ramp from 0 to 1, without a column, and with numbers that are not finite; and of the line
    from which on the final prediction stays first."""

    ramp: tuple[Rgb, Rgb, Rgb]
    unknown: Rgb
    broken: Rgb
    known: Rgb
    signed: AttentionColors

    def of(self, level: float) -> Rgb:
        """The color at `level`, 0 to 1; NaN is not finite."""
        if math.isnan(level):
            return self.broken
        level = min(max(level, 0.0), 1.0)
        low, high, part = (
            (self.ramp[0], self.ramp[1], 2 * level) if level < 0.5 else (self.ramp[1], self.ramp[2], 2 * level - 1)
        )
        red, green, blue = (a + (b - a) * part for a, b in zip(low, high, strict=True))
        return (red, green, blue)

    def difference(self, level: float) -> Rgb:
        """The color of a difference from -1 to 1; NaN is not finite."""
        return self.broken if math.isnan(level) else self.signed.difference(level, 1.0)

    def agreement(self, agrees: bool) -> Rgb:
        """The color of a cell whose likeliest token is that of the last point, or is not."""
        return self.of(_AGREES if agrees else 0.0)


def _colors(theme: str) -> LensColors:
    colors = ATTENTION_COLORS[theme]
    return LensColors(colors.weights, colors.later, colors.broken, _KNOWN[theme], colors)


LENS_COLORS = {theme: _colors(theme) for theme in ATTENTION_COLORS}


def dark_text(color: Rgb) -> bool:
    """True when dark text is easier to read on this color than light text."""
    return contrast(color, DARK_INK) > contrast(color, LIGHT_INK)
