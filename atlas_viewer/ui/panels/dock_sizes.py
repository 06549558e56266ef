"""The sizes of dock nodes: building the default arrangement, following the window, and scaling the user's layout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.arrangement import Area, Arrangement, Split, areas
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme

# In the user's own layout, the parts around Strip and Map take up at most these fractions of the window, on each side
# and below, at any zoom.
_MOST_WIDE, _MOST_HIGH = 0.36, 0.45
_SMALLEST = 20.0  # ems; in smaller windows, these parts are not limited

Shape = tuple[object, ...]


def build(
    identity: int, panels: Sequence[tuple[str, str]], arrangement: Arrangement, width: float, height: float
) -> None:
    """Divide the dock space into the areas of an arrangement, for a window of width x height ems, and dock the panels.

    panels: the name and the area of each.
    """
    dock = imgui.internal
    dock.dock_builder_remove_node_child_nodes(identity)
    tree = areas(arrangement, width, height)
    dock.dock_builder_set_node_size(identity, _pixels(tree))
    nodes: dict[str, int] = {}

    def divide(node: int, part: Area | Split) -> None:
        if isinstance(part, Area):
            nodes[part.name] = node
            return
        # imgui keeps the side opposite to `where` for Strip and Map: it is the one that grows with the window.
        near, far = (part.second, part.first) if part.first.has_center else (part.first, part.second)
        if part.across:
            share, where = near.width / part.width, imgui.Dir.right if near is part.second else imgui.Dir.left
        else:
            share, where = near.height / part.height, imgui.Dir.down if near is part.second else imgui.Dir.up
        parts = dock.dock_builder_split_node(node, where, min(max(share, 0.05), 0.95))
        divide(parts.id_at_dir, near)
        divide(parts.id_at_opposite_dir, far)

    divide(identity, tree)
    for name, where in panels:
        dock.dock_builder_dock_window(name, nodes[where])
    dock.dock_builder_finish(identity)


def fit(identity: int, nodes: Mapping[str, int], arrangement: Arrangement, width: float, height: float) -> bool:
    """Give the areas of an arrangement their sizes in a window of width x height ems.

    nodes: the dock node of each area. False if the dock space is not divided as in the arrangement.
    """
    sizes: list[tuple[imgui.internal.DockNode, ImVec2]] = []

    def measure(part: Area | Split) -> imgui.internal.DockNode | None:
        node: imgui.internal.DockNode | None
        if isinstance(part, Area):
            node = imgui.internal.dock_builder_get_node(nodes.get(part.name, 0))
        else:
            first, second = measure(part.first), measure(part.second)
            axis = imgui.internal.Axis.x if part.across else imgui.internal.Axis.y
            node = first.parent_node if first else None
            if not node or not second or not second.parent_node or second.parent_node.id_ != node.id_:
                return None
            if node.split_axis != axis:
                return None
        if node:
            sizes.append((node, _pixels(part)))
        return node

    root = measure(areas(arrangement, width, height))
    if not root or root.id_ != identity:
        return False
    for node, size in sizes:
        node.size_ref = size
    return True


def shape(nodes: Sequence[int]) -> Shape:
    """A value that changes when the user moves a panel to another area or drags an edge. nodes: that of each panel."""
    found: list[object] = []
    for identity in nodes:
        node: imgui.internal.DockNode | None = imgui.internal.dock_builder_get_node(identity) if identity else None
        while node:
            found += [node.id_, round(node.size_ref.x), round(node.size_ref.y)]
            node = node.parent_node
        found.append(None)
    return tuple(found)


def _pixels(part: Area | Split) -> ImVec2:
    return ImVec2(max(theme.em(part.width), 1.0), max(theme.em(part.height), 1.0))


def scale(identity: int, ui: UiState, nodes: Iterable[int], ratio: float) -> None:
    """Scale the parts around Strip and Map by `ratio`, as far as the window allows; Strip and Map get the rest.

    nodes: the dock nodes of the panels.
    """
    window = imgui.get_main_viewport().size
    middle, node = set(), imgui.internal.dock_builder_get_central_node(identity)
    while node:
        middle.add(node.id_)
        node = node.parent_node
    done = set()
    for known in nodes:
        node = imgui.internal.dock_builder_get_node(known)
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
    if (window.x if across else window.y) < theme.em(_SMALLEST):
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
