"""The distribution of a tensor's values: a histogram on a labeled axis, with mean and standard deviation."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.color_mapping import RangeAxis, spread
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.views.statistics import TensorStatistics

from . import plots
from .widgets import drawable, packed, tooltip

_HEIGHT, _BARS = 3.6, 120  # ems, bars
_MEANING = (
    "How many values there are at each value; bar heights are square roots of counts.\n"
    "Line: mean. Band: mean minus to mean plus one standard deviation.\n"
    "L switches between a linear and a logarithmic axis, together with the colors."
)


def axis_for(known: TensorStatistics, curve: str) -> RangeAxis:
    """The axis of the histogram: linear from the lowest to the highest value; with `curve` "log", logarithmic for each
    sign."""
    if curve != "log" or known.min >= 0 or known.max <= 0:
        low, high = (known.min, known.max) if known.min < known.max else (known.min - 1, known.max + 1)
        return RangeAxis(low, high, "log" if curve == "log" else "linear", True)
    return RangeAxis(-known.absmax, known.absmax, "log", False)


def draw(state: State, name: str) -> None:
    """Draw the histogram of tensor `name` as wide as the panel; nothing while it is unknown or has no finite value."""
    known = state.inspection.statistics.get(name)
    if known is None or not known.finite or not any(known.histogram):
        return
    axis = axis_for(known, state.inspection.mapping.curve)
    corner, width = imgui.get_cursor_screen_pos(), max(imgui.get_content_region_avail().x, 1.0)
    height, line, canvas = theme.em(_HEIGHT), imgui.get_text_line_height(), imgui.get_window_draw_list()
    widget_tracking.invisible_button("value histogram", ImVec2(width, height + line))
    tooltip(_MEANING)
    floor = corner.y + height
    canvas.add_rect_filled(corner, ImVec2(corner.x + width, floor), packed(theme.now.back_deep))
    if known.std is not None:
        left, right = (corner.x + width * axis.x_at(known.mean + side * known.std) for side in (-1, 1))
        canvas.add_rect_filled(ImVec2(left, corner.y), ImVec2(right, floor), packed(theme.now.accent_faint))
    bars = spread(tuple(known.histogram), tuple(state.edges), axis, (known.min, known.max), _BARS)
    plots.histogram(bars, corner, width, height, theme.now.accent, 0.8)
    middle = corner.x + width * axis.x_at(known.mean)
    canvas.add_line(ImVec2(middle, corner.y), ImVec2(middle, floor), packed(theme.now.text), max(1.0, theme.em(0.08)))
    plots.ticks(axis, corner.x, corner.x + width, floor)
    with theme.numbers(), theme.colored(imgui.Col_.text, theme.now.text_dim):
        deviation = "" if known.std is None else f", standard deviation {known.std:.4g}"
        imgui.text_wrapped(drawable(f"mean {known.mean:.4g}{deviation}"))
