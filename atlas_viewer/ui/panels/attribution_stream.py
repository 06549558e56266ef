"""The residual stream in the Attribution panel: its length, what each block adds, and where it points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atlas_viewer.ui import theme, widget_tracking
from compute.lens.stream_pass import StreamShape
from compute.models.names import split_name

from .widgets import hint

_LEAST = 15.0  # ems, minimum width of a plot beside another
_LOWEST, _TALLEST = 8.0, 24.0  # ems, heights of a plot


@dataclass(frozen=True)
class _Line:
    """One line of a plot: x in blocks, with the names of the points for tooltips."""

    name: str
    x: np.ndarray
    y: np.ndarray
    ink: ImVec4


def draw(stream: StreamShape | None) -> None:
    """Draw three plots, side by side or below each other."""
    if stream is None:
        hint("The residual stream is being measured.")
        return
    x = np.array([_block(stream.points, index) for index in range(len(stream.points))], np.float64)
    accent, text = theme.now.accent, theme.now.text
    plots = (
        ("norm of the stream", [_Line("stream", x, stream.norm, accent)], None),
        ("norm added", _added(stream, x), None),
        ("cosine to the final stream", [_Line("cosine", x, stream.cosine, text)], 1.0),
    )
    available, gap = imgui.get_content_region_avail(), imgui.get_style().item_spacing
    beside = available.x >= 3 * theme.em(_LEAST)
    size = ImVec2((available.x - 2 * gap.x) / 3, min(max(available.y, theme.em(_LOWEST)), theme.em(_TALLEST)))
    if not beside:
        size = ImVec2(available.x, max((available.y - 2 * gap.y) / 3, theme.em(_LOWEST)))
    if imgui.begin_child("stream"):
        for at, (title, lines, top) in enumerate(plots):
            if at and beside:
                imgui.same_line()
            _plot(stream, title, lines, size, top)
    imgui.end_child()


def _block(points: Sequence[str], index: int) -> float:
    """Where a point is on the axis of blocks: at the number of its block, half before it after attention."""
    block = split_name(points[index])[0]
    if block is None:
        return -1.0 if index == 0 else float(index)
    return block - 0.5 if _in_middle(points, index) else float(block)


def _in_middle(points: Sequence[str], index: int) -> bool:
    """True for a point that is not the last one of its block."""
    block = split_name(points[index])[0]
    return block is not None and index + 1 < len(points) and split_name(points[index + 1])[0] == block


def _added(stream: StreamShape, x: np.ndarray) -> list[_Line]:
    """What attention and MLP add, or whole blocks where both are added at once."""
    middle = np.array([_in_middle(stream.points, index) for index in range(len(stream.points))])
    after = ~middle
    after[0] = False
    if not middle.any():
        return [_Line("block", x[after], stream.added[after], theme.now.accent)]
    block = x[middle] + 0.5
    return [
        _Line("attention", block, stream.added[middle], theme.now.accent),
        _Line("MLP", x[after], stream.added[after], theme.now.text),
    ]


def _plot(stream: StreamShape, title: str, lines: list[_Line], size: ImVec2, top: float | None) -> None:
    if implot.get_current_context() is None:
        implot.create_context()
    axes, kinds = implot.ImAxis_, implot.Flags_
    flags = kinds.no_menus | kinds.no_box_select | kinds.no_mouse_text
    if len(lines) == 1:
        flags |= kinds.no_legend
    implot.push_style_color(implot.Col_.frame_bg, ImVec4(0, 0, 0, 0))
    implot.push_style_color(implot.Col_.plot_bg, theme.now.back_deep)
    implot.push_style_var(implot.StyleVar_.plot_padding, ImVec2(theme.em(0.2), theme.em(0.4)))
    implot.push_style_var(implot.StyleVar_.plot_min_size, ImVec2(theme.em(6), theme.em(4)))
    if implot.begin_plot(f"##{title}", size, flags):
        faint = implot.AxisFlags_.no_highlight | implot.AxisFlags_.lock
        implot.setup_axis(axes.x1, "block", faint)
        implot.setup_axis(axes.y1, title, faint)
        values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
        high = top or 1.08 * float(values.max(initial=0.0)) or 1.0
        low = min(0.0, float(values.min(initial=0.0)) * 1.2)
        right = max(float(line.x.max(initial=0.0)) for line in lines)
        numbers, names = _ticks(right)
        implot.setup_axis_ticks(axes.x1, numbers, names)
        place = implot.Location_.north
        implot.setup_legend(place, implot.LegendFlags_.outside | implot.LegendFlags_.horizontal)
        always = implot.Cond_.always
        implot.setup_axis_limits(axes.x1, -1.3, right + 0.3, always)
        implot.setup_axis_limits(axes.y1, low, 1.02 * high, always)
        implot.setup_finish()
        for line in lines:
            spec = implot.Spec(line_color=line.ink, line_weight=max(1.5, theme.em(0.13)))
            spec.marker, spec.marker_size = implot.Marker_.circle, theme.em(0.16)
            spec.marker_fill_color = spec.marker_line_color = line.ink
            implot.plot_line(line.name, line.x, line.y.astype(np.float64), spec)
        _pointer(stream, title, lines)
        implot.end_plot()
        widget_tracking.track(f"plot {title}")
    implot.pop_style_var(2)
    implot.pop_style_color(2)


def _ticks(right: float) -> tuple[list[float], list[str]]:
    """Where the axis of blocks is labeled, and the labels: about eight numbers, and the embedding."""
    every = max(1, round((right + 1) / 8))
    blocks = range(0, int(right) + 1, every)
    return [-1.0, *map(float, blocks)], ["emb", *map(str, blocks)]


def _pointer(stream: StreamShape, title: str, lines: list[_Line]) -> None:
    """A tooltip with the values at the block under the mouse."""
    if not implot.is_plot_hovered():
        return
    x = implot.get_plot_mouse_pos().x
    nearest = min((float(at) for line in lines for at in line.x), key=lambda at: abs(at - x))
    implot.plot_inf_lines("##pointer", np.array([nearest]), implot.Spec(line_color=theme.now.text_dim))
    texts = [_where(nearest)]
    for line in lines:
        at = np.flatnonzero(line.x == nearest)
        if at.size:
            texts.append(f"{line.name if len(lines) > 1 else title}: {float(line.y[at[0]]):.4g}")
    imgui.set_tooltip("\n".join(texts))


def _where(x: float) -> str:
    """The point of the stream at `x`, in words."""
    if x < 0 and x == int(x):
        return "the embedding"
    return f"block {int(x)}" if x == int(x) else f"block {int(x + 0.5)}, after its attention"
