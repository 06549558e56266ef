"""The minimap: where it is in the panel, and how the mouse moves the view in it. The scene draws it."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.map_state import MapState
from atlas_viewer.ui import theme, widget_tracking

from .map_frame import Frame

_WIDTH = 11.0  # in ems
_OVER = 8.0  # the same where it covers data
_GAIN = 0.15  # share of its area that another corner must leave free more than the present one

Box = tuple[float, float, float, float]


def draw(maps: MapState, frame: Frame, covered: float = 0.0) -> Box | None:
    """Make a corner of the panel move the view by click or drag: the corner where the minimap covers the least data.

    Returns its x, y, width and height in pixels of the picture, where the scene shows the whole map; None when all of
    it is visible, or when there is no space. covered: width in pixels at the right edge that other panels cover.
    """
    layout = maps.layout
    if layout is None or maps.camera.pose.zoom < 1.05:
        return None
    part = layout.height / layout.width
    wide = min(theme.em(_WIDTH), (frame.width - covered) / 3)
    if wide < theme.em(1) or wide * part > frame.height / 2:
        return None
    used = imgui.is_mouse_down(imgui.MouseButton_.left) or _pointed_at(maps, frame)
    if not used or maps.minimap is None:
        _choose(maps, frame, frame.width - covered, wide * part, wide)
    if maps.minimap_over:
        wide = min(wide, theme.em(_OVER))
    x, y = _corners(frame, frame.width - covered, wide, wide * part)[maps.minimap_corner]
    left, top, high = frame.left + x, frame.top + y, wide * part
    imgui.set_cursor_screen_pos(ImVec2(left, top))
    widget_tracking.invisible_button("minimap", ImVec2(wide, high))
    scale = wide / layout.width
    if imgui.is_item_active():
        mouse = imgui.get_io().mouse_pos
        maps.camera.look_at(
            maps.camera.pose.zoom, (mouse.x - left) / scale, (mouse.y - top) / scale, *maps.size
        )  # fmt: skip
    ratio = frame.ratio
    return x * ratio, y * ratio, wide * ratio, high * ratio


def _corners(frame: Frame, right: float, wide: float, high: float) -> list[tuple[float, float]]:
    """The positions in the panel, the preferred one first."""
    gap = theme.em(0.5)
    sides, ends = (right - wide - gap, gap), (frame.height - high - gap, gap)
    return [(sides[0], ends[0]), (sides[1], ends[0]), (sides[0], ends[1]), (sides[1], ends[1])]


def _choose(maps: MapState, frame: Frame, right: float, high: float, wide: float) -> None:
    """Choose the corner, and note whether data is below the minimap. The present corner stays unless one is better."""
    view, ratio = maps.view, frame.ratio
    low = (maps.bands[:, :2] - (view.x, view.y)) / (view.scale * ratio)
    end = low + maps.bands[:, 2:] / (view.scale * ratio)
    areas = []
    for corner in _corners(frame, right, wide, high):
        sides = np.minimum(end, np.add(corner, (wide, high))) - np.maximum(low, corner)
        areas.append(float(np.prod(np.maximum(sides, 0), axis=1).sum()) / (wide * high))
    best = min(range(len(areas)), key=lambda corner: (areas[corner], corner))
    if areas[best] + _GAIN < areas[maps.minimap_corner] or (areas[best] == 0 < areas[maps.minimap_corner]):
        maps.minimap_corner = best
    maps.minimap_over = areas[maps.minimap_corner] > 0


def _pointed_at(maps: MapState, frame: Frame) -> bool:
    """True while the mouse is over the minimap, which then stays where it is."""
    if maps.minimap is None:
        return False
    (x, y), (left, top, wide, high) = frame.pixel(imgui.get_io().mouse_pos), maps.minimap
    return left <= x <= left + wide and top <= y <= top + high
