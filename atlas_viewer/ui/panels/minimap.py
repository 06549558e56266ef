"""The minimap: a small picture of the whole map in a corner of the panel."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.map_state import MapState
from atlas_viewer.ui import theme, widget_tracking

from .map_frame import Frame
from .widgets import packed

PLATE = ImVec4(0.02, 0.03, 0.045, 0.85)
_WIDTH = 11.0  # in ems
_SEEN = 8.0  # minimum size, in pixels, of the rectangle that marks the visible part
_MOST_BOXES = 700  # maximum number drawn in a frame


def draw(maps: MapState, frame: Frame) -> None:
    """Draw the whole map, small, in a corner, with the visible part marked; a click or drag moves there."""
    layout = maps.layout
    if layout is None or maps.camera.pose.zoom < 1.05:
        return  # all of it is visible
    wide = min(theme.em(_WIDTH), frame.width / 3)
    high = wide * layout.height / layout.width
    if high > frame.height / 2:
        return
    gap = theme.em(0.5)
    left, top = frame.left + frame.width - wide - gap, frame.top + frame.height - high - gap
    imgui.set_cursor_screen_pos(ImVec2(left, top))
    widget_tracking.invisible_button("minimap", ImVec2(wide, high))
    canvas, scale = imgui.get_window_draw_list(), wide / layout.width

    def screen(x: float, y: float) -> ImVec2:
        return ImVec2(left + min(max(x * scale, 0), wide), top + min(max(y * scale, 0), high))

    canvas.add_rect_filled(ImVec2(left, top), ImVec2(left + wide, top + high), packed(PLATE))
    tensors = packed(theme.ON_PICTURE, 0.22)
    large = maps.tensors[(maps.tensors[:, 2:] * scale >= 1).all(axis=1)][:_MOST_BOXES]
    for x, y, width, height in large.tolist():
        canvas.add_rect_filled(screen(x, y), screen(x + width, y + height), tensors)
    view, (pixels_wide, pixels_high) = maps.view, maps.size
    start = screen(view.x, view.y)
    end = screen(view.x + pixels_wide * view.scale, view.y + pixels_high * view.scale)
    # The mark stays large enough to find, however small the visible part is.
    wider, higher = (max(least - size, 0) / 2 for least, size in ((_SEEN, end.x - start.x), (_SEEN, end.y - start.y)))
    start, end = ImVec2(start.x - wider, start.y - higher), ImVec2(end.x + wider, end.y + higher)
    canvas.add_rect(start, end, packed(theme.PIN_ON_PICTURE), 0.0, max(1.0, theme.em(0.1)))
    canvas.add_rect(ImVec2(left, top), ImVec2(left + wide, top + high), packed(theme.ON_PICTURE, 0.5))
    if imgui.is_item_active():
        mouse = imgui.get_io().mouse_pos
        x, y = (mouse.x - left) / scale, (mouse.y - top) / scale
        maps.camera.look_at(maps.camera.pose.zoom, x, y, *maps.size)
