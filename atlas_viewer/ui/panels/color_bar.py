"""The color bar: the color of each value with labeled ticks, a histogram, and handles for a fixed range."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.color_mapping import ColorMapping, RangeAxis, spread
from atlas_viewer.state.map_logits import LogitsCenter
from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import axis_of, center_of, ends, shown_tensor
from atlas_viewer.ui import theme, widget_tracking

from . import plots
from .plots import ticks
from .widgets import drawable, elided_start, packed, tooltip

_HEIGHT, _NAME, _LEAST_BAR = 1.1, 15.0, 12.0  # in ems: of the bar, the name's width, the bar's least width beside it
_LARGEST_NAME = 0.38  # of the panel, for names of some models that are longer than that
_GAP = 0.7  # ems after the name
_LOW = 20.0  # height of what is left of the panel, in ems, below which ticks are on the bar
_STRIPES = 96
_STOPS_PER_EM = 0.25  # exposure for dragging by an em
_KEYS = "Drag: offset and exposure. Double-click or 0: reset. Keys: X, O and, with Shift, back."
_HANDLES = "Drag a handle: range. Shift and drag: offset and exposure. Double-click or 0: reset."


def draw(state: State) -> None:
    """Draw the bar with ticks below it, or on it in a low panel, after the name of what it describes.

    With a range per tensor, it describes the tensor in focus, or else the one in the middle of the view.
    """
    mapping = state.inspection.mapping
    name = shown_tensor(state) if mapping.own_ranges else None
    center = center_of(state)
    axis = axis_of(state.inspection, name, center)
    if center is not None and center.name != name:
        center = None  # the bar shows other tensors
    corner, width = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x
    low = imgui.get_content_region_avail().y < theme.em(_LOW)
    line = 0.0 if low else imgui.get_text_line_height()
    height = theme.em(_HEIGHT) + line
    labels = _labels_width(state, width)
    left, right = corner.x + labels, corner.x + max(width, labels + 1)
    imgui.set_cursor_screen_pos(ImVec2(left, corner.y))
    widget_tracking.invisible_button("colour bar", ImVec2(max(right - left, theme.em(0.7)), theme.em(_HEIGHT)))
    if axis is not None:
        _mouse(state, axis, left, right)
        _explain(axis, name, center, left, right, fixed=mapping.high is not None)
        _stripes(state, axis, left, right, corner.y)
        _histogram(state, axis, name, center, left, right, corner.y)
        if mapping.high is not None:
            for value in (mapping.low, mapping.high):
                _handle(left + (right - left) * axis.x_at(value), corner.y)
        ticks(
            axis, left, right, corner.y + (0.0 if low else theme.em(_HEIGHT)), plate=theme.em(_HEIGHT) if low else 0.0
        )
    with theme.numbers():
        text = "measuring ..." if axis is None else name or "all tensors"
        text += ", relative to the mean" if center is not None else ""
        compared = state.inspection.compared
        same = name is not None and ends(state.inspection, name) == (0.0, 0.0) and state.inspection.subtracts
        text = f"{compared}: {text}{' is the same' if same else ''}" if compared else text
        canvas, room = imgui.get_window_draw_list(), labels - theme.em(_GAP)
        if labels:
            canvas.add_text(corner, packed(theme.now.text), drawable(elided_start(text, room)))
        if labels and not low:
            below = ImVec2(corner.x, corner.y + theme.em(_HEIGHT))
            canvas.add_text(below, packed(theme.now.text_dim), elided_start(_adjustment(state, center), room))
    imgui.set_cursor_screen_pos(corner)
    imgui.dummy(ImVec2(max(width, 1.0), height))


def _labels_width(state: State, width: float) -> float:
    """Space for the name, in pixels: the same for all tensors of a model, so that the bar does not move."""
    if width <= theme.em(_NAME + _LEAST_BAR):
        return 0.0
    with theme.numbers():
        letter = imgui.calc_text_size("n").x
    longest = _longest_name(state.inspection.tensors) * letter + theme.em(_GAP)
    return max(min(theme.em(_NAME), 0.3 * width), min(longest, _LARGEST_NAME * width))


_longest: list[tuple[Mapping[str, object], int]] = []  # tensors and the answer for them; at most one


def _longest_name(tensors: Mapping[str, object]) -> int:
    """Letters of the longest name. The answer is kept, because every frame asks for it."""
    if not _longest or _longest[0][0] is not tensors:
        _longest[:] = [(tensors, max(map(len, tensors), default=0))]
    return _longest[0][1]


def _adjustment(state: State, center: LogitsCenter | None) -> str:
    """Exposure, offset and center in words."""
    mapping = state.inspection.mapping
    parts = [f"{mapping.exposure:+.2g} stops"] if mapping.exposure else []
    parts += [f"offset {mapping.offset:+.2g}"] if mapping.offset else []
    scale = ", ".join(parts) or f"{mapping.curve} scale"
    return f"{scale}, mean {center.mean:.3g}" if center is not None else scale


def _explain(
    axis: RangeAxis, name: str | None, center: LogitsCenter | None, left: float, right: float, *, fixed: bool
) -> None:
    value = axis.value_at((imgui.get_io().mouse_pos.x - left) / max(right - left, 1.0))
    what = f"Histogram of {name}" if name else "Histogram of all tensors"
    at = f"value {value:.3g}"
    if center is not None:
        what += " relative to their mean: a constant added to all logits does not change the probabilities"
        at = (
            f"value {center.mean + value:.3g}: the mean {center.mean:.3g} {'+' if value >= 0 else '-'} {abs(value):.3g}"
        )
    tooltip(f"{what}\n{at}\n{_HANDLES if fixed else _KEYS}")


def _mouse(state: State, axis: RangeAxis, left: float, right: float) -> None:
    """Drag the handles of a fixed range, or exposure and offset."""
    io, mapping = imgui.get_io(), state.inspection.mapping
    if imgui.is_item_hovered() and imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        state.inspection.mapping = dataclasses.replace(mapping, exposure=0.0, offset=0.0)
    elif not imgui.is_item_active():
        return
    elif mapping.high is not None and not io.key_shift:
        _drag(state, axis, (io.mouse_pos.x - left) / max(right - left, 1.0))
    elif io.mouse_delta.x or io.mouse_delta.y:
        # The colors follow the mouse: over the whole bar, brightness runs from -1 to 1, or from 0 to 1.
        span = (1 if axis.one_sign else 2) / max(right - left, 1.0)
        exposure = mapping.exposure - io.mouse_delta.y / theme.em(1) * _STOPS_PER_EM
        state.inspection.mapping = mapping.adjusted(exposure, mapping.offset - span * io.mouse_delta.x)


def _stripes(state: State, axis: RangeAxis, left: float, right: float, top: float) -> None:
    """Fill the bar with the colors of its values."""
    canvas = imgui.get_window_draw_list()
    width, bottom = (right - left) / _STRIPES, top + theme.em(_HEIGHT)
    for stripe, color in enumerate(_stripe_colors(state.inspection.mapping, axis)):
        x = left + stripe * width
        canvas.add_rect_filled(ImVec2(x, top), ImVec2(x + width + 0.5, bottom), color)


@lru_cache(maxsize=8)
def _stripe_colors(mapping: ColorMapping, axis: RangeAxis) -> tuple[int, ...]:
    """The colors of the stripes, as imgui packs them."""
    high, found = axis.high if mapping.high is None else mapping.high, []
    for stripe in range(_STRIPES):
        share = axis.share_at((stripe + 0.5) / _STRIPES)
        if not axis.one_sign:
            magnitude = min(max((abs(share) * axis.high - mapping.low) / max(high - mapping.low, 1e-12), 0.0), 1.0)
            share = magnitude if share >= 0 else -magnitude
        found.append(packed(ImVec4(*mapping.color(share, one_sign=axis.one_sign), 1.0)))
    return tuple(found)


def _histogram(
    state: State, axis: RangeAxis, name: str | None, center: LogitsCenter | None, left: float, right: float, top: float
) -> None:
    """Draw the histogram of the tensor, or of all tensors, over the bar."""
    inspection, exact = state.inspection, state.current_distribution
    if center is not None and exact is not None:  # its bins are finer than those of the statistics
        plots.histogram(
            center.histogram(exact, axis, _STRIPES),
            ImVec2(left, top),
            right - left,
            theme.em(_HEIGHT),
            ImVec4(1, 1, 1, 1),
            0.55,
        )
        return
    mean = center.mean if center is not None else 0.0
    if name is None:
        left_out = own.name if (own := center_of(state)) is not None else None
        measured = [known for tensor, known in inspection.statistics.items() if tensor != left_out]
        columns = [known.histogram for known in measured if known.count and known.histogram]
        counts, limits = tuple(sum(column) for column in zip(*columns, strict=True)), (axis.low, axis.high)
    elif name in inspection.statistics:
        counts, limits = inspection.statistics[name].histogram, ends(inspection, name) or (axis.low, axis.high)
    else:
        return
    edges, limits = tuple(edge - mean for edge in state.edges), (limits[0] - mean, limits[1] - mean)
    bars = spread(tuple(counts), edges, axis, limits, _STRIPES)
    plots.histogram(bars, ImVec2(left, top), right - left, theme.em(_HEIGHT), ImVec4(1, 1, 1, 1), 0.55)


def _handle(x: float, top: float) -> None:
    canvas = imgui.get_window_draw_list()
    half = theme.em(0.14)
    start, end = ImVec2(x - half, top - half), ImVec2(x + half, top + theme.em(_HEIGHT) + half)
    canvas.add_rect_filled(start, end, packed(theme.now.text), half)
    canvas.add_rect(start, end, packed(theme.now.back_deep), half)


def _drag(state: State, axis: RangeAxis, x: float) -> None:
    """Move the handle nearest to position `x` on the bar, 0 to 1; the negative side mirrors the positive one."""
    mapping = state.inspection.mapping
    assert mapping.high is not None
    value = abs(axis.value_at(min(max(x, 0.0), 1.0)))
    at = axis.x_at(value)
    if abs(at - axis.x_at(mapping.high)) <= abs(at - axis.x_at(mapping.low)):
        state.inspection.mapping = dataclasses.replace(mapping, high=max(value, mapping.low * 1.001, 1e-9))
    else:
        state.inspection.mapping = dataclasses.replace(mapping, low=min(value, mapping.high * 0.999))
