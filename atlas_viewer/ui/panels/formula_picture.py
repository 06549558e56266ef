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

_NAME, _BARS, _GAP = 1.05, 1.6, 0.55  # heights in ems
_LEAST = 2.0  # width of a bar in pixels; more numbers share one, which shows the most extreme


def height(found: Formula) -> float:
    """Height of all pictograms, in pixels."""
    return theme.em(sum(_NAME + _BARS + _GAP for operand in found.operands if operand.values.size))


def draw(state: State, found: Formula) -> None:
    """Draw each operand's numbers, with a mark at the largest terms."""
    wide = imgui.get_content_region_avail().x
    for operand in found.operands:
        if operand.values.size:
            local, start = imgui.get_cursor_pos(), imgui.get_cursor_screen_pos()
            _name(found, operand, start, wide)
            bars = ImVec2(start.x, start.y + theme.em(_NAME))
            _bars(state, operand, bars, wide)
            _marks(found, operand, bars, wide)
            imgui.set_cursor_pos(ImVec2(local.x, local.y + theme.em(_NAME + _BARS + _GAP)))


def color(state: State, share: float) -> ImVec4:
    """The color of a value at `share` of the range, -1 to 1."""
    return ImVec4(*view_colors(state).color(share), 1.0)


def _name(found: Formula, operand: Operand, start: ImVec2, wide: float) -> None:
    loaded = imgui.get_io().fonts.fonts
    font = loaded[1] if len(loaded) > 1 else loaded[0]
    peak = _peak(operand.values)
    text = f"{of(operand.source, found.element, whole=False)}: {operand.values.size} numbers up to {peak:.4g}"
    canvas = imgui.get_window_draw_list()
    canvas.add_text(font, theme.em(0.85), start, packed(theme.now.text_dim), elided(text, wide / 0.85))


def _bars(state: State, operand: Operand, start: ImVec2, wide: float) -> None:
    """One bar per number: up for positive, down for negative numbers."""
    canvas, high = imgui.get_window_draw_list(), theme.em(_BARS)
    canvas.add_rect_filled(start, ImVec2(start.x + wide, start.y + high), packed(theme.now.back))
    values = _thinned(operand.values, max(int(wide / _LEAST), 1))
    peak, step = _peak(values) or 1.0, wide / len(values)
    negative = bool((values < 0).any())
    zero = start.y + high * (0.5 if negative else 1.0)
    reach = high * (0.5 if negative else 1.0)
    colors = view_colors(state)
    for index, value in enumerate(values.tolist()):
        x = start.x + index * step
        if not math.isfinite(value):
            canvas.add_rect_filled(
                ImVec2(x, start.y), ImVec2(x + max(step, 1.0), start.y + high), packed(theme.now.error)
            )
            continue
        share = value / peak
        end = zero - reach * share
        low, bottom = ImVec2(x, min(zero, end)), ImVec2(x + max(step - (step > 3), 1.0), max(zero, end))
        canvas.add_rect_filled(low, bottom, packed(ImVec4(*colors.color(share), 1.0)))
    canvas.add_line(ImVec2(start.x, zero), ImVec2(start.x + wide, zero), packed(theme.now.line))


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
