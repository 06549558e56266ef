"""Docking of panels: the default layout for the window's size, the user's own layout, and saving either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from imgui_bundle import ImVec4, imgui

from atlas_viewer.state.arrangement import COLUMN, FOLDED, Arrangement, arrange
from atlas_viewer.state.layout_text import DOCK_SPACE
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme, widget_tracking

from . import dock_sizes

Docked = Sequence[tuple[str, str]]  # name of a panel, and its area: panels in one area are tabs, the first in front
# A window without space for columns is laid out as one of this size, in ems, for when it becomes larger.
_USABLE = (90.0, 50.0)
_SETTLED = 3  # frames after which a panel that was dragged is docked


def dock_space(ui: UiState, docked: Callable[[str], Docked], below: float = 0.0) -> tuple[int, bool]:
    """The id of the dock space, and whether it has just been laid out. Call it before the panels begin.

    Sets `ui.folded`. docked: the panels of the default arrangement with this name, and their areas; below: height of
    the bar below the dock space, in pixels.
    """
    viewport = imgui.get_main_viewport()
    identity = DOCK_SPACE
    known = imgui.internal.dock_builder_get_node(identity) is not None
    first = imgui.get_frame_count() <= 1
    flags = int(imgui.internal.DockNodeFlagsPrivate_.no_close_button)  # each tab has its own
    # The canvas already has this color; blending it again takes a software adapter a third of a frame.
    with theme.colored(imgui.Col_.window_bg, ImVec4(0, 0, 0, 0)):
        imgui.dock_space_over_viewport(identity, viewport, flags)
    if ui.lecture and known:
        ui.folded = True  # the dock space is covered, and is the same afterwards
        return identity, False
    wide, high = viewport.size.x / theme.em(1), (viewport.size.y - below) / theme.em(1)
    wanted = arrange(wide, viewport.size.y / theme.em(1), below / theme.em(1))
    own = known and not ui.arrangement and not ui.reset_layout
    ui.folded = ui.lecture or (wanted.name == FOLDED and not own)
    if ui.folded:
        (wide, high), wanted = _USABLE, arrange(*_USABLE)
    if not known or ui.reset_layout or (ui.arrangement != wanted.name and not own and not (ui.folded and known)):
        _lay_out(ui, identity, docked, wanted, wide, high)
        return identity, True
    if first:
        _dock_new_panels(docked(ui.arrangement or COLUMN))
    if own and ui.layout_zoom != theme.zoom():
        names = [name for name, _ in docked(COLUMN)]
        dock_sizes.scale(identity, ui, [dock_of(name) for name in names], theme.zoom() / ui.layout_zoom)
        ui.layout_zoom = theme.zoom()
    elif not own and not ui.folded and ui.fitted != (wide, high, theme.zoom()):
        nodes = {where: dock_of(name) for name, where in docked(ui.arrangement)}
        if not dock_sizes.fit(identity, nodes, wanted, wide, high):
            ui.arrangement = ""  # the saved layout is not the default one
        ui.fitted, ui.dock_shape, ui.layout_zoom = (wide, high, theme.zoom()), None, theme.zoom()
    return identity, False


def _lay_out(
    ui: UiState, identity: int, docked: Callable[[str], Docked], wanted: Arrangement, wide: float, high: float
) -> None:
    """Dock the panels in the default arrangement for a window of wide x high ems."""
    if ui.reset_layout:
        ui.hidden.clear()
        ui.shown.clear()
    dock_sizes.build(identity, docked(wanted.name), wanted, wide, high)
    ui.reset_layout, ui.arrangement = False, wanted.name
    ui.fitted, ui.dock_shape, ui.layout_zoom = (wide, high, theme.zoom()), None, theme.zoom()


def notice_docking(ui: UiState, names: Sequence[str]) -> None:
    """Make the layout the user's own once the mouse has moved a panel or an edge. Call it after the panels."""
    if not ui.arrangement or ui.folded:
        return
    if imgui.is_mouse_clicked(imgui.MouseButton_.left):
        ui.dock_shape, ui.dock_frames = dock_sizes.shape([dock_of(name) for name in names]), 0
    elif ui.dock_shape is not None and not imgui.is_any_mouse_down():
        ui.dock_frames += 1
        if ui.dock_frames == _SETTLED:
            if dock_sizes.shape([dock_of(name) for name in names]) != ui.dock_shape:
                ui.arrangement = ""
            ui.dock_shape = None


def front(panels: Docked) -> list[str]:
    """The panels that are in front in the default layout."""
    first: dict[str, str] = {}
    for name, where in panels:
        first.setdefault(where, name)
    return list(first.values())


def order_tabs(panels: Docked) -> None:
    """Sort the tabs of each area. Call it once all panels of a new layout have begun.

    Otherwise, panels that were already shown would stay in front of those that reappear.
    """
    counts: dict[str, int] = {}
    for name, where in panels:
        window = imgui.internal.find_window_by_name(name)
        bar = window.dock_node.tab_bar if window and window.dock_node else None
        if not bar:
            continue
        tab = imgui.internal.tab_bar_find_tab_by_id(bar, window.tab_id)
        if tab:
            position = counts.get(where, 0)
            counts[where] = position + 1
            offset = position - imgui.internal.tab_bar_get_tab_order(bar, tab)
            if offset:
                imgui.internal.tab_bar_queue_reorder(bar, tab, offset)
                imgui.internal.tab_bar_process_reorder(bar)
                bar.reorder_request_tab_id = 0  # imgui accepts no other request while this one is set


def floats(name: str, dock_space: int) -> bool:
    """True when the panel floats instead of being docked in the dock space."""
    window = imgui.internal.find_window_by_name(name)
    if not window:
        return False
    node = window.dock_node
    return not node or imgui.internal.dock_node_get_root_node(node).id_ != dock_space


def raise_panel(name: str, focused: str) -> None:
    """Bring a panel to the front without interrupting typing or dragging in `focused`, another panel."""
    window = imgui.internal.find_window_by_name(name)
    if not window:
        return
    node = window.dock_node
    if focused and dock_of(focused) == dock_of(name):
        imgui.set_window_focus(name)  # among the tabs of one area, the focused one is in front
    elif node and node.tab_bar:
        node.tab_bar.next_selected_tab_id = window.tab_id
    else:
        imgui.internal.bring_window_to_display_front(window)


def track_tabs(names: Iterable[str]) -> None:
    """Record the rectangles of the tabs under the ids `tab:NAME`."""
    for name in names:
        window = imgui.internal.find_window_by_name(name)
        if window and window.dock_node:
            low, high = window.dc.dock_tab_item_rect.min, window.dc.dock_tab_item_rect.max
            if high.x > low.x:
                widget_tracking.rects[f"tab:{name}"] = widget_tracking.WidgetRect(low.x, low.y, high.x, high.y)


def remember(ui: UiState) -> None:
    """Copy the layout into `ui`, except in the middle of a drag."""
    if not imgui.is_any_mouse_down():
        ui.layout = imgui.save_ini_settings_to_memory()


def dock_of(name: str) -> int:
    """The dock node of a panel that was drawn, or that the saved layout contains; 0 if there is none."""
    window = imgui.internal.find_window_by_name(name)
    if window:
        return int(window.dock_id)
    settings = imgui.internal.find_window_settings_by_id(imgui.internal.im_hash_str(name))
    return int(settings.dock_id) if settings else 0


def _dock_new_panels(panels: Docked) -> None:
    """Dock panels that are missing from a saved layout beside other panels of their area."""
    known: dict[str, int] = {}
    for name, where in panels:
        if dock_of(name):
            known.setdefault(where, dock_of(name))
    for name, where in panels:
        if known and not imgui.internal.find_window_settings_by_id(imgui.internal.im_hash_str(name)):
            imgui.internal.dock_builder_dock_window(name, known.get(where, next(iter(known.values()))))
