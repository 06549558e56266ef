"""Color palettes and color mappings: dark near zero, one hue for each sign, or a ramp for values of one sign."""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Rgb: TypeAlias = tuple[float, float, float]  # red, green, blue from 0 to 1, sRGB-encoded


@dataclass(frozen=True)
class Palette:
    """(darkest, brightest) color of negative and of positive values, and (darkest, middle, brightest) for tensors whose
    values all have one sign. Colors in between are linear mixes."""

    negative: tuple[Rgb, Rgb]
    positive: tuple[Rgb, Rgb]
    sequential: tuple[Rgb, Rgb, Rgb]

    def at(self, share: float) -> Rgb:
        """The color at brightness |share|, 0 to 1, for the sign of `share`."""
        low, high = self.positive if share >= 0 else self.negative
        bright = min(abs(share), 1.0)
        red, green, blue = (a + (b - a) * bright for a, b in zip(low, high, strict=True))
        return (red, green, blue)

    def rising(self, level: float) -> Rgb:
        """The color of the sequential ramp at `level`, 0 to 1."""
        dark, middle, bright = self.sequential
        low, high, part = (dark, middle, 2 * level) if level < 0.5 else (middle, bright, 2 * level - 1)
        red, green, blue = (a + (b - a) * part for a, b in zip(low, high, strict=True))
        return (red, green, blue)


# The hues of the second and third can be told apart with any kind of color vision; they also differ in lightness.
PALETTES: dict[str, Palette] = {
    "demo": Palette(
        ((0.02, 0.12, 0.30), (0.00, 0.78, 1.00)),
        ((0.18, 0.10, 0.02), (1.00, 0.82, 0.10)),
        ((0.05, 0.03, 0.12), (0.72, 0.20, 0.42), (1.00, 0.93, 0.62)),
    ),
    "blue-orange": Palette(
        ((0.03, 0.05, 0.12), (0.33, 0.62, 1.00)),
        ((0.12, 0.05, 0.02), (1.00, 0.60, 0.12)),
        ((0.02, 0.04, 0.10), (0.13, 0.46, 0.56), (0.98, 0.95, 0.60)),
    ),
    "purple-green": Palette(
        ((0.09, 0.03, 0.13), (0.82, 0.56, 1.00)),
        ((0.02, 0.10, 0.04), (0.52, 0.92, 0.40)),
        ((0.06, 0.02, 0.10), (0.28, 0.42, 0.56), (0.80, 0.96, 0.60)),
    ),
}
SAMPLINGS = ("pool", "point")
CURVES = ("root", "linear", "log")  # order: as in wgsl/strip/common/color.wgsl
EXPOSURES, OFFSETS = (-20.0, 20.0), (-2.0, 2.0)  # limits
LOG_DECADES = 3.0  # magnitudes that the logarithmic curve spreads out; below, it is linear
LEAST_BRIGHTNESS = 0.08  # of a nonzero value


@dataclass(frozen=True)
class Canvas:
    """Colors of a view where there are no values: outside tensors, and in rows that are not filled yet."""

    ground: Rgb
    unfilled: Rgb


CANVASES: dict[str, Canvas] = {
    "dark": Canvas((0.0235, 0.0353, 0.0549), (0.043, 0.055, 0.078)),
    "light": Canvas((0.925, 0.933, 0.947), (0.830, 0.846, 0.872)),
}


@dataclass(frozen=True)
class ColorMapping:
    """How values become colors.

    palette: a name in `PALETTES`. sampling: which of the values that a cell represents it shows: "pool" the one with
    the largest magnitude, non-finite values first; "point" the first one. span_scale: "tensor" (a range per tensor) or
    "all" (one range for all tensors). low, high: the magnitudes with the darkest and the brightest color; None for high
    means the largest finite magnitude. exposure: in stops, each of which doubles the brightness before the curve.
    offset: added after that, as a fraction of the range. curve: a name in `CURVES`.
    """

    palette: str = "demo"
    sampling: str = "pool"
    span_scale: str = "tensor"
    low: float = 0.0
    high: float | None = None
    exposure: float = 0.0
    offset: float = 0.0
    curve: str = "root"

    def adjusted(self, exposure: float, offset: float) -> ColorMapping:
        """This mapping with another exposure and offset, within `EXPOSURES` and `OFFSETS`."""
        return dataclasses.replace(
            self,
            exposure=min(max(exposure, EXPOSURES[0]), EXPOSURES[1]),
            offset=min(max(offset, OFFSETS[0]), OFFSETS[1]),
        )

    @property
    def own_ranges(self) -> bool:
        """True while each tensor has its own range."""
        return self.high is None and self.span_scale == "tensor"

    def level(self, share: float) -> float:
        """Brightness, -1 to 1, of a value at `share` of the range, negative for the color of negative values."""
        level = share * 2.0**self.exposure + self.offset
        return math.copysign(curved(self.curve, min(abs(level), 1.0)), level)

    def color(self, share: float, *, one_sign: bool = False) -> Rgb:
        """Color of a value at `share`, -1 to 1, of the range, as the shaders compute it.

        one_sign: the tensor's values all have one sign, and `share` counts from the lowest of them.
        """
        level = self.level(share)
        palette = PALETTES[self.palette]
        if one_sign:
            return palette.rising(max(level, 0.0))
        return palette.at(math.copysign(max(LEAST_BRIGHTNESS, abs(level)), level or share))


@dataclass(frozen=True)
class ViewColors(ColorMapping):
    """A color mapping with what a window adds: its canvas, a name in `CANVASES`, and one-signed tensors.

    one_signed: (name, lowest value, highest value) of tensors whose values all have one sign. They use the sequential
    ramp, with their own range from the lowest to the highest value.
    """

    canvas: str = "dark"
    one_signed: tuple[tuple[str, float, float], ...] = ()


def curved(curve: str, share: float) -> float:
    """The brightness for a share of the range, both 0 to 1."""
    if curve == "log":
        return math.log1p((10**LOG_DECADES - 1) * share) / math.log(10**LOG_DECADES)
    return math.sqrt(share) if curve == "root" else share


def uncurved(curve: str, brightness: float) -> float:
    """The share of the range for a brightness: the inverse of `curved`."""
    if curve == "log":
        return math.expm1(brightness * math.log(10**LOG_DECADES)) / (10**LOG_DECADES - 1)
    return brightness * brightness if curve == "root" else brightness


def luminance(color: Rgb) -> float:
    """Relative luminance of a color, 0 to 1, as WCAG defines it."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast of two colors, 1 to 21, as WCAG defines it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def canvas_of(mapping: ColorMapping) -> Canvas:
    """The canvas that `mapping` is for."""
    return CANVASES[mapping.canvas if isinstance(mapping, ViewColors) else "dark"]


def color_mapping_bytes(mapping: ColorMapping) -> bytes:
    """`mapping` as the structure `ColorMapping` in wgsl/strip/common/color.wgsl."""
    palette = PALETTES[mapping.palette]
    canvas = canvas_of(mapping)
    colors = (*palette.negative, *palette.positive, *palette.sequential, canvas.ground, canvas.unfilled)
    words = [part for color in colors for part in (*color, 1.0)]
    return struct.pack(
        "<38fIffIII",
        *words, mapping.low, mapping.high or 0.0, mapping.span_scale == "all", 2.0**mapping.exposure, mapping.offset,
        CURVES.index(mapping.curve), 0, 0,
    )  # fmt: skip


def is_plain(mapping: ColorMapping) -> bool:
    """True for the square root without exposure or offset, and no tensor known to have values of one sign."""
    adjusted = mapping.exposure or mapping.offset or mapping.curve != "root"
    return not adjusted and not (isinstance(mapping, ViewColors) and mapping.one_signed)


def range_table(mapping: ColorMapping, slots: Mapping[str, int]) -> np.ndarray:
    """Lowest and highest value of one-signed tensors by slot, zeros for others; float32 [slots, 4]."""
    table: np.ndarray = np.zeros((max(slots.values(), default=0) + 1, 4), np.float32)
    if isinstance(mapping, ViewColors):
        for name, low, high in mapping.one_signed:
            if name in slots:
                table[slots[name], :2] = low, high
    return table
