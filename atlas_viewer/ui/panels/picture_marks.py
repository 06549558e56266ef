"""The selection over the pictures of Strip and Map: outlines, and the rest at 30 % while a token is selected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.selecting import thread
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme
from compute.views.palettes import CANVASES

from .map_frame import Frame
from .widgets import packed

_DIMMED = 0.3  # opacity of the picture around the rows of a selected token
_MOST = 900  # rectangles drawn in a frame
_LEAST = 2.0  # pixels, the smallest side of a rectangle drawn
_CLOSE = 6.0  # pixels: thinner rectangles are filled instead of outlined
_FILL, _FILL_DIMMED = 0.6, 0.3  # opacity of that; around a selected token's rows the picture is dim as well


def image(state: State, picture: imgui.ImTextureRef, start: ImVec2, end: ImVec2, boxes: np.ndarray | None) -> None:
    """Draw the picture of a view, dim around the rows of a selected token.

    boxes: these rows, see `visible`; None when no token is selected, or the view does not show it.
    """
    canvas = imgui.get_window_draw_list()
    if boxes is None:
        canvas.add_image(picture, start, end)
        return
    canvas.add_rect_filled(start, end, packed(ImVec4(*CANVASES[state.ui.theme].ground, 1.0)))
    canvas.add_image(picture, start, end, ImVec2(0, 0), ImVec2(1, 1), packed(ImVec4(1, 1, 1, 1), _DIMMED))
    wide, high = end.x - start.x, end.y - start.y
    for left, top, right, bottom in boxes.tolist():
        low, up = ImVec2(max(left, start.x), max(top, start.y)), ImVec2(min(right, end.x), min(bottom, end.y))
        first = ImVec2((low.x - start.x) / wide, (low.y - start.y) / high)
        last = ImVec2((up.x - start.x) / wide, (up.y - start.y) / high)
        canvas.add_image(picture, low, up, first, last)


def uncover(picture: imgui.ImTextureRef, frame: Frame, box: tuple[float, float, float, float]) -> None:
    """Draw the part of the picture in `box` again, over the marks. box: x, y, width and height in picture pixels."""
    x, y, wide, high = box
    across, down = frame.pixels
    first, last = ImVec2(x / across, y / down), ImVec2((x + wide) / across, (y + high) / down)
    low, end = frame.screen(x, y), frame.screen(x + wide, y + high)
    imgui.get_window_draw_list().add_image(picture, low, end, first, last)


def visible(boxes: np.ndarray, start: ImVec2, end: ImVec2) -> np.ndarray:
    """Left, top, right and bottom on the screen of those boxes that the picture shows, float64 [n, 4].

    boxes: the same for all. Small ones grow to the least size that can be seen; of too many, the largest are kept.
    """
    if not len(boxes):
        return boxes
    shown = (boxes[:, 2] > start.x) & (boxes[:, 0] < end.x) & (boxes[:, 3] > start.y) & (boxes[:, 1] < end.y)
    boxes = boxes[shown]
    if len(boxes) > _MOST:
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        boxes = boxes[np.sort(np.argsort(-areas, kind="stable")[:_MOST])]
    middle, half = (boxes[:, 2:] + boxes[:, :2]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], _LEAST) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def outlines(state: State, boxes: np.ndarray) -> None:
    """Outline boxes on the screen. Those too thin for an outline are filled, so that their values stay visible."""
    canvas, ink = imgui.get_window_draw_list(), theme.MARK_ON_PICTURE
    edge, fill = packed(ink), packed(ink, _FILL_DIMMED if thread(state) == state.highlight else _FILL)
    dark, thickness = packed(ImVec4(0, 0, 0, 1), 0.7), max(1.0, theme.em(theme.OUTLINE / 2))
    for left, top, right, bottom in boxes.tolist():
        if min(right - left, bottom - top) < _CLOSE:
            canvas.add_rect_filled(ImVec2(left, top), ImVec2(right, bottom), fill)
        else:
            # Light on dark, to be seen over all values.
            low, high = ImVec2(left - 1, top - 1), ImVec2(right + 1, bottom + 1)
            canvas.add_rect(low, high, dark, 0.0, 3 * thickness)
            canvas.add_rect(low, high, edge, 0.0, thickness)


def labels(boxes: np.ndarray, texts: Sequence[str], start: ImVec2, end: ImVec2) -> None:
    """Write a text to the left of each box, where it covers no other text."""
    canvas, ground = imgui.get_window_draw_list(), packed(theme.now.back_deep, 0.9)
    ink, taken = packed(theme.now.mark), np.zeros((0, 4))
    high, pad = imgui.get_text_line_height(), theme.em(0.2)
    for (left, top, _, bottom), text in zip(boxes.tolist(), texts, strict=True):
        wide = imgui.calc_text_size(text).x + 2 * pad
        x = min(max(left - wide - 2, start.x), end.x - wide)
        y = min(max((top + bottom - high) / 2, start.y), end.y - high)
        covered = (taken[:, 0] < x + wide) & (taken[:, 2] > x) & (taken[:, 1] < y + high) & (taken[:, 3] > y)
        if covered.any() or wide > end.x - start.x:
            continue
        taken = np.concatenate([taken, [(x, y, x + wide, y + high)]])
        canvas.add_rect_filled(ImVec2(x, y), ImVec2(x + wide, y + high), ground, 2.0)
        canvas.add_text(ImVec2(x + pad, y), ink, text)
