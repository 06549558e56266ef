"""Docking of panels: the default layout, the saved layout, and scaling with the interface zoom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.layout_text import DOCK_SPACE
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme, widget_tracking

# Sizes in ems: the left and right columns, the area below Strip and Map, and parts of the columns.
_LEFT, _RIGHT, _BELOW = 18.8, 21.5, 16.0
_PROMPT, _SAMPLING, _INSPECTOR = 15.6, 19.8, 22.0
_WIDE = 0.24  # fraction of a wide window for the right column, whose text benefits most from the width
# The parts around Strip and Map take up at most these fractions of the window, on each side and below, at any zoom.
_MOST_WIDE, _MOST_HIGH = 0.36, 0.45
_ROOM = 20.0  # ems; smaller windows are not laid out
Docked = Sequence[tuple[str, str]]  # name of a panel, and its area: panels in one area are tabs, the first in front


def dock_space(ui: UiState, panels: Docked, below: float = 0.0) -> tuple[int, bool]:
    """The id of the dock space, and whether it has just been laid out. Call it before the panels begin.

    below: height of the bar below the dock space, in pixels.
    """
    viewport = imgui.get_main_viewport()
    identity = DOCK_SPACE
    known = imgui.internal.dock_builder_get_node(identity) is not None
    first = imgui.get_frame_count() <= 1
    flags = int(imgui.internal.DockNodeFlagsPrivate_.no_close_button)  # each tab has its own
    # The canvas already has this color; blending it again takes a software adapter a third of a frame.
    with theme.colored(imgui.Col_.window_bg, ImVec4(0, 0, 0, 0)):
        imgui.dock_space_over_viewport(identity, viewport, flags)
    fresh = not known or ui.reset_layout
    if fresh:
        if ui.reset_layout:
            ui.hidden.clear()
            ui.reset_layout = False
        # In the first frame, the work area does not account for the bars yet.
        height = min(viewport.work_size.y, viewport.size.y - imgui.get_frame_height() - below)
        # A window that starts out tiny is laid out for a usable size.
        wide = viewport.size.x if viewport.size.x >= theme.em(_ROOM) else theme.em(60)
        _lay_out(identity, ImVec2(wide, height if height >= theme.em(_ROOM) else theme.em(36)), panels)
        ui.layout_zoom = theme.zoom()
    elif first:
        _dock_new_panels(panels)
    if ui.layout_zoom != theme.zoom():
        _scale(identity, ui, (name for name, _ in panels), theme.zoom() / ui.layout_zoom)
        ui.layout_zoom = theme.zoom()
    return identity, fresh


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
    if focused and _dock_of(focused) == _dock_of(name):
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


def _dock_of(name: str) -> int:
    """The dock node of a panel that was drawn, or that the saved layout contains; 0 if there is none."""
    window = imgui.internal.find_window_by_name(name)
    if window:
        return int(window.dock_id)
    settings = imgui.internal.find_window_settings_by_id(imgui.internal.im_hash_str(name))
    return int(settings.dock_id) if settings else 0


def _scale(identity: int, ui: UiState, names: Iterable[str], ratio: float) -> None:
    """Scale the parts around Strip and Map by `ratio`, as far as the window allows; Strip and Map get the rest."""
    window = imgui.get_main_viewport().size
    middle, node = set(), imgui.internal.dock_builder_get_central_node(identity)
    while node:
        middle.add(node.id_)
        node = node.parent_node
    done = set()
    for name in names:
        node = imgui.internal.dock_builder_get_node(_dock_of(name))
        while node and node.id_ not in done:
            done.add(node.id_)
            size = ImVec2(node.size_ref.x * ratio, node.size_ref.y * ratio)
            if node.parent_node and node.parent_node.id_ in middle and node.id_ not in middle:
                size = _narrowed(ui, node, size, window)
            node.size_ref = size
            node = node.parent_node


def _narrowed(ui: UiState, node: imgui.internal.DockNode, size: ImVec2, window: ImVec2) -> ImVec2:
    """`size` for a part around Strip and Map, limited by the window; zooming out undoes the limit."""
    across = node.parent_node.split_axis == imgui.internal.Axis.x
    most = _MOST_WIDE * window.x if across else _MOST_HIGH * window.y
    if (window.x if across else window.y) < theme.em(_ROOM):
        most = math.inf
    asked = size.x if across else size.y
    ratio = asked / max(node.size_ref.x if across else node.size_ref.y, 1.0)
    given, wanted = ui.narrowed.pop(node.id_, (0.0, 0.0))
    if given and abs(asked / ratio - given) < 1:  # its edge has not been moved since
        asked = wanted * ratio
    if asked <= most:
        return ImVec2(asked, size.y) if across else ImVec2(size.x, asked)
    ui.narrowed[node.id_] = (most, asked)
    return ImVec2(most, size.y) if across else ImVec2(size.x, most)


def _dock_new_panels(panels: Docked) -> None:
    """Dock panels that are missing from a saved layout beside other panels of their area."""
    known: dict[str, int] = {}
    for name, where in panels:
        if _dock_of(name):
            known.setdefault(where, _dock_of(name))
    for name, where in panels:
        if known and not imgui.internal.find_window_settings_by_id(imgui.internal.im_hash_str(name)):
            imgui.internal.dock_builder_dock_window(name, known.get(where, next(iter(known.values()))))


def _lay_out(identity: int, size: ImVec2, panels: Docked) -> None:
    """Dock the panels for a window of `size` pixels: controls left, Strip and Map over tables, text right."""
    dock = imgui.internal
    dock.dock_builder_remove_node_child_nodes(identity)
    size = ImVec2(max(size.x, 1.0), max(size.y, 1.0))  # the window may be minimized
    dock.dock_builder_set_node_size(identity, size)
    up, down, left, right = imgui.Dir.up, imgui.Dir.down, imgui.Dir.left, imgui.Dir.right
    em = theme.em(1)

    def split(node: int, where: imgui.Dir, pixels: float, whole: float) -> tuple[int, int]:
        """Ids of the part at `where`, `pixels` wide or high, and of the rest; each gets a tenth to 70 %."""
        share = min(max(pixels / max(whole, 1.0), 0.1), 0.7)
        parts = dock.dock_builder_split_node(node, where, share)
        return parts.id_at_dir, parts.id_at_opposite_dir

    nodes: dict[str, int] = {}
    left_width = min(_LEFT * em, _MOST_WIDE * size.x)
    right_width = min(max(_RIGHT * em, _WIDE * size.x), _MOST_WIDE * size.x)
    left_node, other = split(identity, left, left_width, size.x)
    right_node, center = split(other, right, right_width, size.x - left_width)
    nodes["below"], nodes["center"] = split(center, down, min(_BELOW * em, _MOST_HIGH * size.y), size.y)
    nodes["left, top"], lower = split(left_node, up, _PROMPT * em, size.y)
    nodes["left, middle"], nodes["left, bottom"] = split(lower, up, _SAMPLING * em, size.y - _PROMPT * em)
    nodes["right, bottom"], upper = split(right_node, down, _INSPECTOR * em, size.y)
    nodes["right, top"], nodes["right, middle"] = split(upper, up, 0.5, 1.0)
    for name, where in panels:
        dock.dock_builder_dock_window(name, nodes[where])
    dock.dock_builder_finish(identity)
