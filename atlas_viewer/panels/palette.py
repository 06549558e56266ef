"""The command palette: every action, found by typing part of its name."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from .. import items, theme
from ..actions import matching
from ..state import State
from .widgets import dim

_WIDTH, _ROWS = 32.0, 14  # in ems; rows that are seen at once


def draw(state: State) -> None:
    """A field and the actions that match; Enter runs the marked one, Escape closes."""
    interface = state.interface
    if interface.dialog != "palette":
        return
    viewport, em = imgui.get_main_viewport(), imgui.get_font_size()
    middle = ImVec2(viewport.get_center().x, viewport.work_pos.y + 2 * em)
    imgui.set_next_window_pos(middle, imgui.Cond_.always, ImVec2(0.5, 0.0))
    imgui.set_next_window_size(ImVec2(min(_WIDTH * em, viewport.size.x - em), 0))
    imgui.set_next_window_focus()
    flags = imgui.WindowFlags_
    with theme.coloured(imgui.Col_.border, theme.now.accent):
        imgui.begin("##palette", None, flags.no_decoration | flags.no_docking | flags.no_saved_settings | flags.no_move)
        if imgui.is_window_appearing():
            imgui.set_keyboard_focus_here()
        imgui.set_next_item_width(-1)
        changed, interface.typed = items.input_text_with_hint("##command", "what to do", interface.typed)
        found = matching(interface.typed)
        if changed or imgui.is_window_appearing():
            interface.marked = 0
        interface.marked = min(max(interface.marked + _moved(), 0), max(len(found) - 1, 0))
        chosen = interface.marked if imgui.is_key_pressed(imgui.Key.enter, False) and found else None
        height = min(_ROWS, max(len(found), 1)) * imgui.get_text_line_height_with_spacing()
        if imgui.begin_child("found", ImVec2(0, height)):
            for place, action in enumerate(found):
                possible = action.enabled(state)
                imgui.begin_disabled(not possible)
                clicked, _ = items.selectable(f"{action.title}##{action.name}", place == interface.marked)
                imgui.end_disabled()
                if place == interface.marked and (_moved() or changed):
                    imgui.set_scroll_here_y()
                if action.chord:
                    imgui.same_line(imgui.get_content_region_avail().x - imgui.calc_text_size(action.chord).x)
                    dim(action.chord)
                if clicked:
                    chosen = place
            if not found:
                dim("nothing is called that")
        imgui.end_child()
        # Shown by a click outside, or Escape.
        outside = imgui.is_mouse_clicked(0) and not imgui.is_window_hovered(imgui.HoveredFlags_.child_windows)
        imgui.end()
    if imgui.is_key_pressed(imgui.Key.escape, False) or outside:
        interface.dialog = ""
    elif chosen is not None and found[chosen].enabled(state):
        interface.dialog = ""
        found[chosen].run(state)


def _moved() -> int:
    """Rows that the arrow keys move the mark."""
    return int(imgui.is_key_pressed(imgui.Key.down_arrow)) - int(imgui.is_key_pressed(imgui.Key.up_arrow))
