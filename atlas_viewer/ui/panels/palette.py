"""The command palette: every action, found by typing part of its title."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.action import Action
from atlas_viewer.ui.actions import matching

from .modal import modal
from .widgets import dim, tooltip

_WIDTH, _ROWS = 32.0, 14  # in ems; visible rows


def draw(state: State) -> None:
    """Draw a search field and matching actions; Enter runs the marked one, Escape or a click outside closes it."""
    modal(state, "palette", "##palette", _palette, ImVec2(_WIDTH, 0), bare=True)


def _palette(state: State) -> None:
    ui = state.ui
    if imgui.is_window_appearing():
        imgui.set_keyboard_focus_here()
    imgui.set_next_item_width(-1)
    changed, ui.typed = widget_tracking.input_text_with_hint("##command", "search for a command", ui.typed)
    found = matching(ui.typed)
    if changed or imgui.is_window_appearing():
        ui.marked = 0
    ui.marked = min(max(ui.marked + _moved(), 0), max(len(found) - 1, 0))
    chosen = ui.marked if imgui.is_key_pressed(imgui.Key.enter, False) and found else None
    height = min(_ROWS, max(len(found), 1)) * imgui.get_text_line_height_with_spacing()
    if imgui.begin_child("found", ImVec2(0, height)):
        clicked = _rows(state, found, bool(changed))
        chosen = clicked if clicked is not None else chosen
    imgui.end_child()
    if chosen is not None and found[chosen].possible(state):
        ui.dialog = ""
        found[chosen].run(state)


def _rows(state: State, found: Sequence[Action], changed: bool) -> int | None:
    """Draw a row per matching action. Returns the index of the row clicked."""
    chosen = None
    for index, action in enumerate(found):
        marked = index == state.ui.marked
        imgui.begin_disabled(not action.possible(state))
        clicked, _ = widget_tracking.selectable(f"{action.title}###{action.name}", marked)
        imgui.end_disabled()
        tooltip(action.reason())
        if marked and (_moved() or changed):
            imgui.set_scroll_here_y()
        if action.chord:
            imgui.same_line(imgui.get_content_region_avail().x - imgui.calc_text_size(action.chord).x)
            dim(action.chord)
        if clicked:
            chosen = index
    if not found:
        dim("no command matches")
    return chosen


def _moved() -> int:
    """The number of rows by which the arrow keys move the mark."""
    return int(imgui.is_key_pressed(imgui.Key.down_arrow)) - int(imgui.is_key_pressed(imgui.Key.up_arrow))
