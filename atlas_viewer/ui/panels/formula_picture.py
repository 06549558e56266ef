"""The pictograms of a formula card: the numbers of each operand as a row of colored bars."""

from __future__ import annotations

import math

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import view_colors
from atlas_viewer.ui import theme
from compute.views.formula import Formula, Operand
from compute.views.formula_text import of

from .widgets import elided, packed

_Bar = tuple[float, float, float, float, int]  # left, top, right, bottom, color
_NAME, _BARS, _GAP = 1.05, 1.6, 0.55  # heights in ems
_LEAST = 2.5  # width of a bar in pixels; more numbers share one, which shows the most extreme


def height(found: Formula) -> float:
    """Height of all pictograms, in pixels."""
    return theme.em(sum(_NAME + _BARS + _GAP for operand in found.operands if operand.values.size))


def draw(state: State, found: Formula) -> None:
    """Draw each operand's numbers, with a mark at the largest terms."""
    wide = imgui.get_content_region_avail().x
    for number, operand in enumerate(found.operands):
        if operand.values.size:
            local, start = imgui.get_cursor_pos(), imgui.get_cursor_screen_pos()
            _name(state, found, number, start, wide)
            bars = ImVec2(start.x, start.y + theme.em(_NAME))
            _bars(state, operand, number, bars, wide)
            _marks(found, operand, bars, wide)
            imgui.set_cursor_pos(ImVec2(local.x, local.y + theme.em(_NAME + _BARS + _GAP)))


def color(state: State, share: float) -> ImVec4:
    """The color of a value at `share` of the range, -1 to 1."""
    mapping, canvas = state.inspection.mapping, state.ui.theme
    colors = state.formula.keep("colors", (mapping, canvas), lambda: view_colors(state))
    return ImVec4(*colors.color(share), 1.0)


def _name(state: State, found: Formula, number: int, start: ImVec2, wide: float) -> None:
    def text() -> str:
        operand = found.operands[number]
        source = of(operand.source, found.element, whole=False)
        return elided(f"{source}: {operand.values.size} numbers up to {_peak(operand.values):.4g}", wide / 0.85)

    loaded = imgui.get_io().fonts.fonts
    font, canvas = loaded[1] if len(loaded) > 1 else loaded[0], imgui.get_window_draw_list()
    name = state.formula.keep(f"name {number}", wide, text)
    canvas.add_text(font, theme.em(0.85), start, packed(theme.now.text_dim), name)


def _bars(state: State, operand: Operand, number: int, start: ImVec2, wide: float) -> None:
    """One bar per number: up for positive, down for negative numbers."""
    canvas, high = imgui.get_window_draw_list(), theme.em(_BARS)
    canvas.add_rect_filled(start, ImVec2(start.x + wide, start.y + high), packed(theme.now.back))
    key = (wide, high, state.inspection.mapping, state.ui.theme)
    for left, top, right, bottom, ink in state.formula.keep(
        f"bars {number}", key, lambda: _rectangles(state, operand.values, wide, high)
    ):
        canvas.add_rect_filled(ImVec2(start.x + left, start.y + top), ImVec2(start.x + right, start.y + bottom), ink)


def _rectangles(state: State, all_values: np.ndarray, wide: float, high: float) -> list[_Bar]:
    """Left, top, right and bottom edge of each bar from the corner of the picture, and its color."""
    values = _thinned(all_values, max(int(wide / _LEAST), 1))
    peak, step = _peak(values) or 1.0, wide / len(values)
    half = 0.5 if bool((values < 0).any()) else 1.0
    zero = high * half
    found: list[_Bar] = [(0.0, zero, wide, zero + 1, packed(theme.now.line))]
    for index, value in enumerate(values.tolist()):
        left = index * step
        right = left + max(step - (step > 3), 1.0)
        if math.isfinite(value):
            end = zero - high * half * value / peak
            found.append((left, min(zero, end), right, max(zero, end), packed(color(state, value / peak))))
        else:
            found.append((left, 0.0, right, high, packed(theme.now.error)))
    return found


def _marks(found: Formula, operand: Operand, start: ImVec2, wide: float) -> None:
    """Small triangles below the numbers of the largest terms."""
    marked = [found.element.index[-1]] if found.kind == "pattern" else [term.index for term in found.terms]
    if found.kind == "layer norm":
        marked = [found.element.index[-1]]
    canvas, bottom, half = imgui.get_window_draw_list(), start.y + theme.em(_BARS), theme.em(0.16)
    for index in marked:
        x = start.x + (index + 0.5) * wide / operand.values.size
        corners = ImVec2(x, bottom), ImVec2(x - half, bottom + 2 * half), ImVec2(x + half, bottom + 2 * half)
        canvas.add_triangle_filled(*corners, packed(theme.now.text))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    """At most that many of the values: of each run the one with the largest magnitude, NaN first."""
    if len(values) <= most:
        return values
    parts = np.array_split(values, most)
    return np.array([part[np.argmax(np.where(np.isnan(part), np.inf, np.abs(part)))] for part in parts])


def _peak(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))
