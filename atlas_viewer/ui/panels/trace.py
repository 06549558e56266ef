"""The latest pass's debug trace as lines of text; off by default."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import imgui

from atlas_viewer.state.requests import SaveTrace
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import dim, hint, tooltip

NAME = "Trace"
_FILE = 19.0  # ems for the name of the file and the number of lines, which move to a second row if they do not fit


def filtered(lines: Sequence[str], words: str) -> list[str]:
    """The lines that contain all of `words`."""
    wanted = words.lower().split()
    return [line for line in lines if all(word in line.lower() for word in wanted)]


def draw(state: State) -> None:
    """Draw the check box, filter, Copy and Save, then the lines."""
    inspection = state.inspection
    changed, inspection.trace_on = widget_tracking.checkbox("Trace###Trace", inspection.trace_on)
    if changed and not inspection.trace_on:
        inspection.trace = ()
    if not inspection.trace_on:
        hint("One line per tensor of the latest pass: its cells on Strip, statistics, first values.")
        return
    lines = filtered(inspection.trace, inspection.trace_filter)
    imgui.same_line()
    imgui.set_next_item_width(theme.em(10.7))
    _, inspection.trace_filter = widget_tracking.input_text_with_hint("##filter", "filter", inspection.trace_filter)
    imgui.same_line()
    imgui.begin_disabled(not lines)
    if widget_tracking.button("Copy###Copy##trace"):
        imgui.set_clipboard_text("\n".join(lines))
    imgui.same_line()
    if widget_tracking.button("Save###Save##trace"):
        state.requests.append(SaveTrace(inspection.trace_path, tuple(lines)))
    imgui.end_disabled()
    imgui.same_line()
    if imgui.get_content_region_avail().x < theme.em(_FILE):
        imgui.new_line()
    imgui.set_next_item_width(theme.em(10))
    _, inspection.trace_path = widget_tracking.input_text("##path", inspection.trace_path)
    tooltip(inspection.note or "File that Save writes")
    imgui.same_line()
    dim(inspection.note or f"{len(lines)} of {len(inspection.trace)} lines")
    if imgui.begin_child("lines", child_flags=0, window_flags=imgui.WindowFlags_.horizontal_scrollbar):
        with theme.numbers():
            clipper = imgui.ListClipper()
            clipper.begin(len(lines))
            while clipper.step():
                for number in range(clipper.display_start, clipper.display_end):
                    imgui.text_unformatted(lines[number])
            clipper.end()
    imgui.end_child()
