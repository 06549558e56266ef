"""The color bar: the color of each value, a histogram, and handles for the range."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.color_mapping import Axis
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.views.palettes import PALETTES

from . import plots
from .color_controls import known_largest
from .widgets import packed, tooltip

# In ems: the height of the color bar, and the space for a number at each end.
_HEIGHT, _NUMBERS = 1.5, 4.9
_STRIPES = 64
_OWN_RANGES = "Each tensor has its own range, up to its largest magnitude.\nPoint at a tensor to see its range."


def draw(state: State) -> None:
    """Draw the color bar: values from left to right, a histogram over it, the range at its ends, handles if fixed.

    While each tensor has its own range and the cursor is on none, the ends say "max".
    """
    inspection = state.inspection
    width, height = imgui.get_content_region_avail().x, theme.em(_HEIGHT)
    corner = imgui.get_cursor_screen_pos()
    if len(state.edges) < 2:
        imgui.dummy(ImVec2(width, height))
        return
    axis = Axis(state.edges)
    focus = inspection.focus
    name = focus.name if focus and focus.name in inspection.statistics else None
    own = name is None and inspection.mapping.high is None and inspection.mapping.span_scale == "tensor"
    high = None if own else known_largest(state)
    numbers = min(theme.em(_NUMBERS), width / 4)
    left, right = corner.x + numbers, corner.x + width - numbers
    imgui.set_cursor_screen_pos(ImVec2(left, corner.y))
    widget_tracking.invisible_button("colour bar", ImVec2(max(right - left, theme.em(0.7)), height))
    if inspection.mapping.high is not None and imgui.is_item_active():
        _drag(state, axis, (imgui.get_io().mouse_pos.x - left) / max(right - left, 1.0))
    if own:
        tooltip(_OWN_RANGES)
        _stripes(state, lambda x: 2 * x - 1, left, right, corner.y, 1.0)
    else:
        tooltip(
            (f"Histogram of {name}" if name else "Histogram of all tensors")
            + f"\nvalue {axis.value_at((imgui.get_io().mouse_pos.x - left) / max(right - left, 1.0)):.3g}"
        )
        _stripes(state, axis.value_at, left, right, corner.y, high or 1.0)
        counts = inspection.statistics[name].histogram if name else _sum(state)
        plots.histogram(counts, ImVec2(left, corner.y), right - left, height, ImVec4(1, 1, 1, 1), 0.55)
    if inspection.mapping.high is not None:
        for value in (inspection.mapping.low, inspection.mapping.high):
            _handle(left + (right - left) * axis.x_at(value), corner.y)
    with theme.numbers():
        canvas, dim = imgui.get_window_draw_list(), packed(theme.now.text_dim)
        text = "max" if own else f"{high:.3g}" if high is not None else "-"
        y = corner.y + (height - imgui.get_text_line_height()) / 2
        low_text = text if text == "-" else f"-{text}"
        canvas.add_text(ImVec2(left - theme.em(0.5) - imgui.calc_text_size(low_text).x, y), dim, low_text)
        canvas.add_text(ImVec2(right + theme.em(0.5), y), dim, text)
    imgui.set_cursor_screen_pos(corner)
    imgui.dummy(ImVec2(max(width, 1.0), height))


def _sum(state: State) -> tuple[int, ...]:
    """The sum of the histograms of all tensors."""
    columns = [known.histogram for known in state.inspection.statistics.values() if known.count]
    return tuple(sum(column) for column in zip(*columns, strict=True))


def _stripes(
    state: State, value_at: Callable[[float], float], left: float, right: float, top: float, high: float
) -> None:
    """Fill the bar with the colors of the values that `value_at` returns for 0 (left) to 1 (right)."""
    canvas = imgui.get_window_draw_list()
    width, low = (right - left) / _STRIPES, state.inspection.mapping.low
    palette = PALETTES[state.inspection.mapping.palette]
    for stripe in range(_STRIPES):
        value = value_at((stripe + 0.5) / _STRIPES)
        share = min(max((abs(value) - low) / max(high - low, 1e-12), 0.0), 1.0)
        red, green, blue = palette.ramp(share if value >= 0 else -share)
        start = ImVec2(left + stripe * width, top)
        color = imgui.get_color_u32(ImVec4(red, green, blue, 1.0))
        canvas.add_rect_filled(start, ImVec2(start.x + width + 0.5, top + theme.em(_HEIGHT)), color)


def _handle(x: float, top: float) -> None:
    canvas = imgui.get_window_draw_list()
    half = theme.em(0.14)
    start, end = ImVec2(x - half, top - half), ImVec2(x + half, top + theme.em(_HEIGHT) + half)
    canvas.add_rect_filled(start, end, packed(theme.now.text), half)
    canvas.add_rect(start, end, packed(theme.now.back_deep), half)


def _drag(state: State, axis: Axis, x: float) -> None:
    """Move the handle nearest to position `x` on the bar, 0 to 1; the negative side mirrors the positive one."""
    mapping = state.inspection.mapping
    assert mapping.high is not None
    value = abs(axis.value_at(min(max(x, 0.0), 1.0)))
    at = axis.x_at(value)
    if abs(at - axis.x_at(mapping.high)) <= abs(at - axis.x_at(mapping.low)):
        state.inspection.mapping = dataclasses.replace(mapping, high=max(value, mapping.low * 1.001, 1e-9))
    else:
        state.inspection.mapping = dataclasses.replace(mapping, low=min(value, mapping.high * 0.999))
