"""One line of tools: those that there is no room for are behind a button at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imgui_bundle import imgui

from atlas_viewer.ui import widget_tracking

from .widgets import tooltip

_MORE = "..."


@dataclass(frozen=True)
class Tool:
    """A widget or several in one line, `width` pixels wide together, and the function that draws them."""

    width: float
    draw: Callable[[], None]


def button_width(label: str) -> float:
    """Pixels that a button with this text is wide."""
    return float(imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x)


def toolbar(name: str, tools: Sequence[Tool]) -> None:
    """Draw the tools side by side, the first ones if not all of them fit."""
    count = fitting([tool.width for tool in tools], imgui.get_content_region_avail().x)
    for place, tool in enumerate(tools[:count]):
        if place:
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


def fitting(widths: Sequence[float], room: float) -> int:
    """How many of the widgets fit side by side into `room` pixels: all, or as many as leave room for the button."""
    gap = imgui.get_style().item_spacing.x
    if sum(widths) + gap * (len(widths) - 1) <= room:
        return len(widths)
    room -= button_width(_MORE)
    count = 0
    while count < len(widths) and widths[count] + gap <= room:
        room -= widths[count] + gap
        count += 1
    return count
