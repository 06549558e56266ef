"""A rectangle of values, drawn over a tensor on Map with Shift and the mouse, to be edited."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.edit_menu import Rectangle
from atlas_viewer.state.highlights import Box, map_rectangles
from atlas_viewer.state.selection import NOTHING
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.models.tensor_index import TensorIndex

from .map_frame import Frame
from .widgets import packed

_FILL = 0.25  # opacity


def drag(state: State, element: TensorIndex | None) -> bool:
    """Begin, extend or finish a rectangle; True while one is drawn. element: the value under the mouse."""
    menu, left = state.edit_menu, imgui.MouseButton_.left
    if menu.drag is None:
        if imgui.is_mouse_clicked(left) and imgui.get_io().key_shift and element is not None:
            menu.drag, menu.rectangle = element, Rectangle.between(element, element)
        return menu.drag is not None
    if element is not None:
        menu.rectangle = Rectangle.between(menu.drag, element) or menu.rectangle
    if not imgui.is_mouse_down(left):
        menu.drag = None
        if menu.rectangle is not None:
            menu.open(NOTHING, menu.rectangle)
    return True


def draw(state: State, frame: Frame) -> None:
    """Draw the rectangle while the mouse or the menu has it."""
    menu, layout, view = state.edit_menu, state.map.layout, state.map.view
    found = menu.rectangle
    info = state.inspection.tensors.get(found.name) if found is not None else None
    if found is None or info is None or layout is None:
        return
    rows, columns = (found.rows[0], found.rows[1] + 1), (found.columns[0], found.columns[1] + 1)
    box: Box = (rows, columns) if len(info.shape) == 2 else (columns,)
    if found.head is not None:
        box = ((found.head, found.head + 1), rows, columns)
    canvas, scale = imgui.get_window_draw_list(), view.scale * frame.ratio
    for x, y, wide, high in map_rectangles(info, [box], layout):
        low = ImVec2((x - view.x) / scale + frame.left, (y - view.y) / scale + frame.top)
        end = ImVec2(low.x + wide / scale, low.y + high / scale)
        canvas.add_rect_filled(low, end, packed(theme.EDIT_ON_PICTURE, _FILL))
        canvas.add_rect(low, end, packed(theme.EDIT_ON_PICTURE), 0.0, max(1.0, theme.em(theme.OUTLINE)))
        widget_tracking.mark("rectangle", low, end)
