"""Marks of edited values: outlines on Strip and Map, names for the list, heads for Attention. Kept between frames."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.attention_view import AttentionView
from atlas_viewer.state.edited_places import edited_boxes, edited_heads, edits_shown
from atlas_viewer.state.highlights import Box, map_rectangles, strip_runs
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import highlight_cache, picture_marks
from .map_frame import Frame
from .widgets import packed

_CORNER = 7.0  # pixels: a smaller box is filled
_NOWHERE = np.zeros((0, 4))


def boxes(state: State) -> dict[str, list[Box]]:
    """What the edits of the pass on screen change, by tensor."""
    inspection, edits = state.inspection, edits_shown(state)
    if not edits:
        return {}
    same = highlight_cache.Same
    key = (tuple(map(same, edits)), inspection.rows, inspection.first_position, same(inspection.tensors))
    return highlight_cache.keep("edited", key, lambda: edited_boxes(state))


def heads(state: State) -> set[tuple[int, int]]:
    """Layer and number of the edited heads."""
    found = boxes(state)
    if not found:
        return set()
    key = highlight_cache.Same(found)
    return highlight_cache.keep("edited heads", key, lambda: edited_heads(found, state.inspection.tensors))


def on_map(state: State, frame: Frame) -> None:
    """Outline the edited values on Map."""
    found, layout, view = boxes(state), state.map.layout, state.map.view
    if not found or layout is None:
        return

    def make() -> np.ndarray:
        tensors = state.inspection.tensors
        parts = [part for name, known in found.items() for part in map_rectangles(tensors[name], known, layout)]
        return np.array(parts, np.float64).reshape(-1, 4)

    units = highlight_cache.keep("edited on map", (highlight_cache.Same(found), highlight_cache.Same(layout)), make)
    scale = view.scale * frame.ratio
    low = (units[:, :2] - (view.x, view.y)) / scale + (frame.left, frame.top)
    start, end = ImVec2(frame.left, frame.top), ImVec2(frame.left + frame.width, frame.top + frame.height)
    _outline(np.concatenate([low, low + units[:, 2:] / scale], axis=1), start, end, "edited on map")


def on_strip(state: State, start: ImVec2, end: ImVec2) -> None:
    """Outline the edited values on Strip. start, end: corners of the picture."""
    found, sheet = boxes(state), state.strip.sheet
    if not found:
        return

    def make() -> np.ndarray:
        parts: list[tuple[int, int, int, int]] = []
        for name, known in found.items():
            info = state.inspection.tensors[name]
            box = None if info.span is None else sheet.box_of(info.span.first)
            if info.span is None or box is None:
                continue
            for first, last in strip_runs(info, known, info.span):
                lines = highlight_cache.lines(first, last, box.columns)
                parts += [(box.x + x, box.y + y, wide, high) for x, y, wide, high in lines]
        return np.array(parts, np.float64).reshape(-1, 4)

    cells = highlight_cache.keep("edited on strip", (highlight_cache.Same(found), highlight_cache.Same(sheet)), make)
    view = state.strip.camera.view
    scale = (end.x - start.x) / view.width
    low = (cells[:, :2] - (view.x, view.y)) * scale + (start.x, start.y)
    _outline(np.concatenate([low, low + cells[:, 2:] * scale], axis=1), start, end, "edited on strip")


def on_pattern(state: State, view: AttentionView, low: ImVec2, side: int) -> None:
    """Outline the edited weights of the head that Attention shows enlarged. low: corner of the matrix on the screen."""
    cell = view.cell(side)
    parts = [
        (box[2][0], box[1][0], box[2][1], box[1][1])
        for box in boxes(state).get(view.pattern, ())
        if box[0][0] <= view.head < box[0][1]
    ]
    if not parts:
        return
    origin = (view.origin[0] * view.rows, view.origin[1] * view.rows) * 2
    found = (np.array(parts, np.float64) - origin) * cell + (low.x, low.y) * 2
    _outline(found, low, ImVec2(low.x + side, low.y + side), "edited pattern")


def _outline(all_boxes: np.ndarray, start: ImVec2, end: ImVec2, identity: str) -> None:
    canvas, thick = imgui.get_window_draw_list(), max(1.0, theme.em(theme.OUTLINE / 2))
    edge, dark = packed(theme.EDIT_ON_PICTURE), packed(ImVec4(0, 0, 0, 1), 0.7)
    canvas.push_clip_rect(start, end, True)
    for left, top, right, bottom in picture_marks.visible(all_boxes, start, end).tolist():
        low, high = ImVec2(left - 1, top - 1), ImVec2(right + 1, bottom + 1)
        if min(right - left, bottom - top) >= _CORNER:
            canvas.add_rect(low, high, dark, 0.0, 3 * thick)
            canvas.add_rect(low, high, edge, 0.0, thick)
        else:
            canvas.add_rect_filled(low, high, packed(theme.EDIT_ON_PICTURE, 0.75))
        widget_tracking.mark(identity, low, high)
    canvas.pop_clip_rect()
