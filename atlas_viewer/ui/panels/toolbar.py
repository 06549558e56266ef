"""One row of tools; those that do not fit are in a popup that a button at its end opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imgui_bundle import imgui

from atlas_viewer.ui import widget_tracking

from .widgets import tooltip

_MORE = "..."


@dataclass(frozen=True)
class Tool:
    """One or more widgets on one line, `width` pixels wide in total, and the function that draws them."""

    width: float
    draw: Callable[[], None]


def button_width(label: str) -> float:
    """Width of a button with this text, in pixels."""
    return float(imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x)


def toolbar(name: str, tools: Sequence[Tool]) -> None:
    """Draw the tools side by side; those that do not fit go to the popup."""
    count = fitting([tool.width for tool in tools], imgui.get_content_region_avail().x)
    for index, tool in enumerate(tools[:count]):
        if index:
            imgui.same_line()
        tool.draw()
    if count == len(tools):
        return
    if count:
        imgui.same_line()
    if widget_tracking.button(f"{_MORE}##{name}"):
        imgui.open_popup(name)
    tooltip("More")
    if imgui.begin_popup(name):
        for tool in tools[count:]:
            tool.draw()
        imgui.end_popup()


def fitting(widths: Sequence[float], width: float) -> int:
    """How many widgets fit side by side into `width` pixels: all, or as many as leave space for the popup's button."""
    gap = imgui.get_style().item_spacing.x
    if sum(widths) + gap * (len(widths) - 1) <= width:
        return len(widths)
    width -= button_width(_MORE)
    count = 0
    while count < len(widths) and widths[count] + gap <= width:
        width -= widths[count] + gap
        count += 1
    return count
