"""Small plots: histograms, labeled axes, and a value over steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.color_mapping import RangeAxis
from atlas_viewer.ui import theme

from .widgets import packed

_SEPARATE = 3  # width of a bar in pixels, from which on there is a gap to the next


def histogram(
    counts: Sequence[float], corner: ImVec2, width: float, height: float, color: ImVec4, alpha: float
) -> None:
    """Draw bars of the square roots of `counts`, the largest `height` pixels high, over what is already drawn."""
    most = max(counts, default=0)
    if not most:
        return
    canvas, ink = imgui.get_window_draw_list(), packed(color, alpha)
    bar, floor = width / len(counts), corner.y + height
    for index, count in enumerate(counts):
        if count:
            left = corner.x + index * bar
            top = floor - max(1.0, height * math.sqrt(count / most))
            canvas.add_rect_filled(ImVec2(left, top), ImVec2(left + max(bar, 1.0), floor), ink)


def bars(heights: Sequence[float], size: ImVec2) -> None:
    """Draw bars with heights from 0 to 1 side by side, in a widget of `size`; those of height 1 have another color."""
    corner = imgui.get_cursor_screen_pos()
    left, floor = corner.x, corner.y + size.y
    canvas = imgui.get_window_draw_list()
    canvas.add_rect_filled(corner, ImVec2(left + size.x, floor), packed(theme.now.back_deep), theme.em(0.13))
    imgui.dummy(size)
    normal, full = packed(theme.now.accent, 0.75), packed(theme.now.text)
    step, high = size.x / len(heights), size.y - theme.em(0.13)
    wide = step - 1 if step >= _SEPARATE else step
    for index, height in enumerate(heights):
        if height:
            x = left + index * step
            top = floor - max(1.0, high * height)
            canvas.add_rect_filled(ImVec2(x, top), ImVec2(x + wide, floor), full if height >= 1 else normal)


def ticks(axis: RangeAxis, left: float, right: float, top: float, *, plate: float = 0.0) -> None:
    """Label values of an axis from `left` to `right`; a label that would touch another is left out.

    plate: height of the plates that the labels are drawn on; 0 for none.
    """
    canvas, taken, gap = imgui.get_window_draw_list(), list[tuple[float, float]](), theme.em(0.5)
    with theme.numbers():
        for value in axis.ticks():
            x, text = left + (right - left) * axis.x_at(value), f"{value:.3g}"
            width = imgui.calc_text_size(text).x
            start = min(max(x - width / 2, left), right - width)
            if any(start < end + gap and first - gap < start + width for first, end in taken):
                continue
            taken.append((start, start + width))
            x = min(max(x, left + 1), right - 1)
            if plate:
                canvas.add_rect_filled(
                    ImVec2(start, top), ImVec2(start + width, top + plate), packed(theme.now.back, 0.9)
                )
            else:
                canvas.add_line(ImVec2(x, top - theme.em(0.2)), ImVec2(x, top + theme.em(0.15)), packed(theme.now.text))
            canvas.add_text(ImVec2(start, top + theme.em(0.05)), packed(theme.now.text_dim), text)


def course(points: Sequence[tuple[int, float]], size: ImVec2) -> None:
    """Draw a value over steps as a line, in a widget of `size`; non-finite values are red ticks."""
    corner = imgui.get_cursor_screen_pos()
    end = ImVec2(corner.x + size.x, corner.y + size.y)
    canvas = imgui.get_window_draw_list()
    canvas.add_rect_filled(corner, end, packed(theme.now.back_deep), theme.em(0.13))
    imgui.dummy(size)
    if not points:
        return
    first, last = points[0][0], points[-1][0]
    finite = [value for _, value in points if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)

    margin = theme.em(0.13)

    def x_of(step: int) -> float:
        return corner.x + margin + (size.x - 2 * margin) * ((step - first) / (last - first) if last > first else 1.0)

    every = max(1, len(points) // max(1, int(size.x)))  # more points than pixels would only waste time
    line: list[ImVec2] = []
    for step, value in [*points[:-1:every], points[-1]]:
        if math.isfinite(value):
            share = (value - low) / (high - low) if high > low else 0.5
            line.append(ImVec2(x_of(step), end.y - margin - (size.y - 2 * margin) * share))
        else:
            x = x_of(step)
            canvas.add_line(ImVec2(x, corner.y + 1), ImVec2(x, end.y - 1), packed(theme.now.error))
    for start, stop in itertools.pairwise(line):
        canvas.add_line(start, stop, packed(theme.now.accent), theme.em(0.08))
    if line:
        canvas.add_circle_filled(line[-1], margin, packed(theme.now.accent), 8)
