"""Colors of contributions: the hues of the palette in use, one for each sign."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.color_mapping import ColorMapping, RangeAxis
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme

from . import plots
from .widgets import packed

_DARKER = 0.70  # bars on a light background
_STRIPES, _POOLED = 64, 32
_BAR = 0.45  # height of the legend's bar, in ems
_NO_VALUE = ImVec4(1.0, 0.04, 0.18, 1.0)


def mapping_of(state: State) -> ColorMapping:
    """The mapping of contributions: the palette in use, on a scale of square roots."""
    return _mapping(state.inspection.mapping.palette)


@lru_cache(maxsize=8)
def _mapping(palette: str) -> ColorMapping:
    return ColorMapping(palette=palette)


def cell_color(state: State, value: float, largest: float) -> ImVec4:
    """The color of a contribution on the map; largest: the magnitude with the brightest color."""
    if not math.isfinite(value):
        return _NO_VALUE
    share = value / largest if largest else 0.0
    return ImVec4(*mapping_of(state).color(share), 1.0)


def bar_color(state: State, value: float) -> ImVec4:
    """The color of the bar of a contribution, for its sign."""
    if not math.isfinite(value):
        return _NO_VALUE
    red, green, blue = mapping_of(state).color(1.0 if value >= 0 else -1.0)
    part = _DARKER if state.ui.theme == "light" else 1.0
    return ImVec4(part * red, part * green, part * blue, 1.0)


@dataclass(frozen=True)
class Scale:
    """What the ends of a bar's space stand for: at most 0, and at least 0."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """The smallest scale with 0 and all finite values."""
        finite = [value for value in values if math.isfinite(value)]
        low, high = min([0.0, *finite]), max([0.0, *finite])
        return cls(low, high if high > low else low + 1.0)

    def x_at(self, value: float) -> float:
        """The position of a value, from 0 to 1."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def bar(state: State, corner: ImVec2, width: float, height: float, value: float, scale: Scale) -> None:
    """Draw a bar from zero: to the right for what raises the logit, to the left for what lowers it."""
    canvas = imgui.get_window_draw_list()
    zero = corner.x + width * scale.x_at(0.0)
    low, high = corner.x, corner.x + width  # all of it for a value that is not finite
    if math.isfinite(value):
        end = corner.x + width * scale.x_at(value)
        low, high = min(zero, end), max(zero, end)
    inset = max(1.0, height * 0.18)
    top, bottom = corner.y + inset, corner.y + height - inset
    if high - low >= 0.5:
        canvas.add_rect_filled(ImVec2(low, top), ImVec2(high, bottom), packed(bar_color(state, value)), 1.0)
    canvas.add_line(ImVec2(zero, corner.y), ImVec2(zero, corner.y + height), packed(theme.now.text_dim, 0.6))


def stripes(state: State, corner: ImVec2, size: ImVec2, values: np.ndarray) -> None:
    """Draw many values [n] as a few stripes side by side, each in the color of the one with the largest magnitude."""
    colors = _stripe_colors(values.tobytes(), state.inspection.mapping.palette)
    canvas, width, bottom = imgui.get_window_draw_list(), size.x / len(colors), corner.y + size.y
    for index, color in enumerate(colors):
        left = corner.x + index * width
        canvas.add_rect_filled(ImVec2(left, corner.y), ImVec2(left + width + 0.5, bottom), color)


@lru_cache(maxsize=256)  # for the rows of a few lists
def _stripe_colors(values: bytes, palette: str) -> tuple[int, ...]:
    """The colors for float32 values, as imgui packs them; NaN is shown before all other values of a stripe."""
    parts = [part for part in np.array_split(np.frombuffer(values, np.float32), _POOLED) if part.size]
    sizes = [np.where(np.isnan(part), np.inf, np.abs(part)) for part in parts]
    pooled = [float(part[size.argmax()]) for part, size in zip(parts, sizes, strict=True)]
    largest = max((abs(value) for value in pooled if math.isfinite(value)), default=0.0) or 1.0
    mapping = ColorMapping(palette=palette, curve="linear")
    return tuple(
        packed(ImVec4(*mapping.color(value / largest), 1.0) if math.isfinite(value) else _NO_VALUE) for value in pooled
    )


def legend_height() -> float:
    """Height of the legend, in pixels."""
    return theme.em(_BAR + 1.2)


def legend(state: State, corner: ImVec2, width: float, largest: float) -> None:
    """Draw the colors of the map with their values."""
    canvas, mapping = imgui.get_window_draw_list(), mapping_of(state)
    axis = RangeAxis(-largest, largest, mapping.curve, False)
    stripe = width / _STRIPES
    bottom = corner.y + theme.em(_BAR)
    for index, color in enumerate(_stripes(mapping)):
        x = corner.x + index * stripe
        canvas.add_rect_filled(ImVec2(x, corner.y), ImVec2(x + stripe + 0.5, bottom), packed(color))
    if largest:
        plots.ticks(axis, corner.x, corner.x + width, bottom)


@lru_cache(maxsize=8)
def _stripes(mapping: ColorMapping) -> tuple[ImVec4, ...]:
    axis = RangeAxis(-1.0, 1.0, mapping.curve, False)
    shares = (axis.share_at((index + 0.5) / _STRIPES) for index in range(_STRIPES))
    return tuple(ImVec4(*mapping.color(share), 1.0) for share in shares)
