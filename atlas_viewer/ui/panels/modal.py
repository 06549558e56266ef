"""A dialog over the dimmed window; Escape, a click outside or its close button closes it."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme

_BORDER = 0.1  # ems
_PADDING = ImVec2(0.9, 0.7)  # ems


def modal(
    state: State, name: str, title: str, fill: Callable[[State], None], size: ImVec2, *, bare: bool = False
) -> None:
    """Draw the dialog while `state.ui.dialog` is `name`. Call it in every frame: it also closes the dialog.

    fill: draws the content; size: maximum size in ems, where a height of 0 fits the content; bare: draw it without a
    title, and at the top of the window instead of its center.
    """
    ui = state.ui
    if ui.dialog == name and not imgui.is_popup_open(title):
        imgui.open_popup(title)
    viewport, flags = imgui.get_main_viewport(), imgui.WindowFlags_
    anchor, pivot = viewport.get_center(), ImVec2(0.5, 0.5)
    kind = flags.no_collapse | flags.no_saved_settings
    if bare:
        anchor, pivot = ImVec2(anchor.x, viewport.work_pos.y + theme.em(2)), ImVec2(0.5, 0.0)
        kind |= flags.no_decoration | flags.no_move
    width = min(theme.em(size.x), viewport.size.x - theme.em(2))
    height = min(theme.em(size.y), viewport.size.y - theme.em(4))
    imgui.set_next_window_pos(anchor, imgui.Cond_.always if bare else imgui.Cond_.appearing, pivot)
    imgui.set_next_window_size(
        ImVec2(max(width, 1.0), max(height, 1.0) if size.y else 0.0),
        imgui.Cond_.always if bare else imgui.Cond_.appearing,
    )
    imgui.push_style_var(imgui.StyleVar_.window_border_size, max(1.0, theme.em(_BORDER)))
    imgui.push_style_var(imgui.StyleVar_.window_padding, ImVec2(theme.em(_PADDING.x), theme.em(_PADDING.y)))
    with theme.colored(imgui.Col_.border, theme.now.accent):
        shown, _ = imgui.begin_popup_modal(title, None if bare else True, kind)
    imgui.pop_style_var(2)
    if not shown:
        if ui.dialog == name:  # its close button was clicked
            ui.dialog = ""
        return
    fill(state)
    hovers = imgui.HoveredFlags_
    inside = imgui.is_window_hovered(hovers.root_and_child_windows | hovers.allow_when_blocked_by_active_item)
    outside = imgui.is_mouse_clicked(imgui.MouseButton_.left) and not inside and not imgui.is_window_appearing()
    if ui.dialog == name and (imgui.is_key_pressed(imgui.Key.escape, False) or outside):
        ui.dialog = ""
    if ui.dialog != name:
        imgui.close_current_popup()
    imgui.end_popup()
