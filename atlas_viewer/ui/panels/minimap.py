"""The minimap: where it is in the panel, and how the mouse moves the view in it. The scene draws it."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.map_state import MapState
from atlas_viewer.ui import theme, widget_tracking

from .map_frame import Frame

_WIDTH = 11.0  # in ems


def draw(maps: MapState, frame: Frame) -> tuple[float, float, float, float] | None:
    """Make a corner of the panel move the view by click or drag.

    Returns its x, y, width and height in pixels of the picture, where the scene shows the whole map; None when all of
    it is visible, or when there is no space.
    """
    layout = maps.layout
    if layout is None or maps.camera.pose.zoom < 1.05:
        return None
    wide = min(theme.em(_WIDTH), frame.width / 3)
    high = wide * layout.height / layout.width
    if high > frame.height / 2:
        return None
    gap = theme.em(0.5)
    left, top = frame.left + frame.width - wide - gap, frame.top + frame.height - high - gap
    imgui.set_cursor_screen_pos(ImVec2(left, top))
    widget_tracking.invisible_button("minimap", ImVec2(wide, high))
    scale = wide / layout.width
    if imgui.is_item_active():
        mouse = imgui.get_io().mouse_pos
        x, y = (mouse.x - left) / scale, (mouse.y - top) / scale
        maps.camera.look_at(maps.camera.pose.zoom, x, y, *maps.size)
    ratio = frame.ratio
    return (left - frame.left) * ratio, (top - frame.top) * ratio, wide * ratio, high * ratio
