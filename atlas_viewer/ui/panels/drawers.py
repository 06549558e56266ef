"""Panels over the picture: in a small window, and in lecture mode, Strip or Map fills the window, and a row of buttons
opens the other panels at its right edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import VIEWS, UiState
from atlas_viewer.ui import panel_titles, theme, widget_tracking

from .toolbar import Tool, button_width, toolbar
from .widgets import tooltip

# In ems: limits on the width of an open panel, its least height, and the height below which details are left out.
_NARROW, _WIDE, _LOW = 22.0, 34.0, 15.0
_DETAILS = 24.0
_SHARE = 0.42  # fraction of the window's width for an open panel
_EDGE = 3.0  # ems from the top edge, within which the mouse shows the buttons in lecture mode
_FIXED = (
    imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_resize
    | imgui.WindowFlags_.no_collapse
    | imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.no_saved_settings
)


def draw(state: State, names: Sequence[str], content: Callable[[str], None], below: float = 0.0) -> set[str]:
    """Draw the view in front, the buttons and the open panels. Returns the names of what is shown.

    names: all panels, in the order of their buttons; content: draws the panel of a name in the current window;
    below: height in pixels below the view that something else covers.
    """
    ui = state.ui
    raised, front = ui.raised, ui.front
    ui.raised = ui.front = ""  # what is clicked in this frame comes to the front in the next
    for name in (raised, front):
        if name in VIEWS:
            ui.view = name
        elif name:
            ui.drawers = [*(other for other in ui.drawers if other != name), name]
    viewport = imgui.get_main_viewport()
    corner, size = viewport.work_pos, viewport.work_size
    ui.tools, ui.details = not ui.lecture, not ui.lecture and viewport.size.y >= theme.em(_DETAILS)
    shown = [name for name in names if name not in ui.hidden]
    top = _scene(ui, corner, ImVec2(size.x, size.y - below), shown, content)
    _open_panels(ui, front, ImVec2(corner.x, top), ImVec2(size.x, corner.y + size.y - top), content)
    if ui.lecture:
        _launcher(ui, corner, size, shown)
    return {ui.view, *ui.drawers}


def width(ui: UiState) -> float:
    """Width in pixels that the open panels cover at the right edge of the window."""
    if not ui.drawers:
        return 0.0
    whole = imgui.get_main_viewport().work_size.x
    return float(min(max(_SHARE * whole, theme.em(_NARROW)), theme.em(_WIDE), whole))


def covered(ui: UiState) -> float:
    """Width in pixels that open panels cover of the view, at its right edge."""
    return width(ui) if ui.folded else 0.0


@contextmanager
def uncovered(ui: UiState) -> Iterator[None]:
    """A context in which the content of the view ends at the open panels."""
    edge = imgui.internal.get_current_window().content_region_rect.max
    whole = edge.x
    edge.x -= covered(ui)
    try:
        yield
    finally:
        edge.x = whole


def _scene(ui: UiState, corner: ImVec2, size: ImVec2, names: Sequence[str], content: Callable[[str], None]) -> float:
    """Draw the view in front as large as the window. Returns the top edge for open panels."""
    imgui.set_next_window_pos(corner)
    imgui.set_next_window_size(size)
    flags = imgui.WindowFlags_
    kind = _FIXED | flags.no_title_bar | flags.no_scrollbar | flags.no_scroll_with_mouse | flags.no_nav_inputs
    padding = ImVec2(0, 0) if ui.lecture else ImVec2(theme.em(0.3), theme.em(0.2))
    imgui.push_style_var(imgui.StyleVar_.window_padding, padding)
    imgui.push_style_var(imgui.StyleVar_.window_min_size, ImVec2(1, 1))
    with theme.colored(imgui.Col_.window_bg, theme.now.back):
        imgui.begin("##scene", None, kind | flags.no_bring_to_front_on_focus)
    imgui.pop_style_var(2)
    if imgui.is_window_appearing():
        imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    top = corner.y
    if not ui.lecture:
        _buttons(ui, names)
        top = imgui.get_cursor_screen_pos().y
    content(ui.view)
    imgui.end()
    return float(top)


def _buttons(ui: UiState, names: Sequence[str]) -> None:
    """Draw a row of buttons: the views, then the panels; those that do not fit are in a popup."""

    def tool(name: str) -> Tool:
        title = panel_titles.title(name)
        on = name == ui.view or name in ui.drawers
        key = next((key for key, panel in enumerate(panel_titles.DRAWERS, start=1) if panel == name), 0)

        def draw_button() -> None:
            faint = ImVec4(0, 0, 0, 0)
            with theme.colored(imgui.Col_.button, theme.now.accent_dim if on else faint):
                clicked = widget_tracking.button(f"{title}###tab:{name}")
            tooltip(f"{'Close' if on else 'Open'} {title}  {key}" if key else "")
            if clicked and name in VIEWS:
                ui.front = name
            elif clicked:
                ui.toggle_drawer(name)

        return Tool(button_width(title), draw_button)

    imgui.push_style_var(imgui.StyleVar_.frame_border_size, 0.0)
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(theme.em(0.1), imgui.get_style().item_spacing.y))
    toolbar("panels", [tool(name) for name in names])
    imgui.pop_style_var(2)


def _open_panels(ui: UiState, front: str, corner: ImVec2, size: ImVec2, content: Callable[[str], None]) -> None:
    """Draw the open panels above each other at the right edge; the oldest ones close if there are too many."""
    most = max(int(size.y / theme.em(_LOW)), 1)
    del ui.drawers[:-most]
    wide, high = width(ui), size.y / max(len(ui.drawers), 1)
    for index, name in enumerate(list(ui.drawers)):
        imgui.set_next_window_pos(ImVec2(corner.x + size.x - wide, corner.y + index * high))
        imgui.set_next_window_size(ImVec2(wide, high))
        if name == front:
            imgui.set_next_window_focus()
        imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
        with (
            theme.colored(imgui.Col_.window_bg, theme.now.back),
            theme.colored(imgui.Col_.title_bg_active, theme.now.raised),
            theme.colored(imgui.Col_.title_bg, theme.now.raised),
        ):
            _, kept = imgui.begin(f"{panel_titles.title(name)}###drawer {name}", True, _FIXED)
        imgui.pop_style_var()
        content(name)
        imgui.end()
        if not kept:
            ui.drawers.remove(name)


def _launcher(ui: UiState, corner: ImVec2, size: ImVec2, names: Sequence[str]) -> None:
    """Draw the row of buttons over the top edge while the mouse is there."""
    mouse = imgui.get_mouse_pos()
    near = imgui.is_mouse_pos_valid() and 0 <= mouse.y - corner.y < theme.em(_EDGE)
    if not near and not imgui.is_popup_open("", imgui.PopupFlags_.any_popup):
        return
    imgui.set_next_window_pos(corner)
    imgui.set_next_window_size(ImVec2(size.x, imgui.get_frame_height() + theme.em(0.8)))
    kind = _FIXED | imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_scrollbar
    with theme.colored(imgui.Col_.window_bg, theme.now.back):
        imgui.begin("##launcher", None, kind | imgui.WindowFlags_.no_focus_on_appearing)
    _buttons(ui, names)
    imgui.end()
