"""The Strip panel: the picture of every tensor of the latest pass, panned and zoomed with mouse and keys."""

from __future__ import annotations

import functools
import math

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.camera import fitted
from atlas_viewer.state.navigation import ATLAS, on_map, open_map
from atlas_viewer.state.roles import role_ink
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.state.strip_labels import Letters, strip_labels
from atlas_viewer.state.strip_left_out import left_out_details, left_out_notice
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import color_bar, color_controls, drawers, edit_marks, highlight_cache, picture_marks
from .toolbar import toolbar
from .view_common import (
    ALARM,
    CLICK,
    OUTLINE,
    PAN,
    UNITS_PER_NOTCH,
    alarm,
    arrow,
    copy_value,
    letter_width,
    loading,
    right_of_tools,
    value_line,
)
from .widgets import beside, elided, hint, packed, tooltip

_MARGIN = 5.5  # ems to the left of the picture, for the names of bands
_HEADER = 1.1  # ems above it, for names of tensors
_LETTERS = 0.85  # height of letters, in ems

NAME = ATLAS

_EMPTY = "Every weight and activation of the latest pass appears here."
_HINT = "wheel zooms, drag pans, F fits, right-click pins"


def draw(state: State, services: Services) -> None:
    """Draw the tools, the picture as large as possible, and a line about the cell under the cursor."""
    with drawers.uncovered(state.ui):
        if state.ui.tools:
            toolbar("atlas tools", color_controls.tools(state, state.palettes))
            _bar(state)
        if state.ui.details:
            color_bar.draw(state)
    strip = state.strip
    strip.agree(state.camera)
    space = imgui.get_content_region_avail()
    line = imgui.get_text_line_height_with_spacing() if state.ui.details else 0.0
    margin, header = theme.em(_MARGIN), theme.em(_HEADER)
    sheet = strip.sheet
    width, height = fitted(int(space.x - margin), int(space.y - line - header), sheet.width, sheet.height)
    if height < theme.em(1):
        return  # too small for a picture
    corner = imgui.get_cursor_screen_pos()
    # Whole pixels, so that picture pixels match screen pixels.
    left = int(corner.x + margin + (space.x - margin - width) / 2)
    top = int(corner.y + header + (space.y - line - header - height) / 2)
    start, end = ImVec2(left, top), ImVec2(left + width, top + height)
    canvas = imgui.get_window_draw_list()
    imgui.set_cursor_screen_pos(start)
    widget_tracking.invisible_button("picture", ImVec2(width, height))
    _mouse(state, left, top, width, height)
    _keys(state)
    strip.agree(state.camera)
    copy_value(state)
    scale = imgui.get_io().display_framebuffer_scale
    state.ui.picture_sizes[NAME] = (round(width * scale.x), round(height * scale.y))
    if services.strip is None:
        canvas.add_rect_filled(start, end, packed(theme.now.back_deep))
        imgui.set_cursor_screen_pos(ImVec2(left + theme.em(0.7), top + theme.em(0.5)))
        if state.loading:
            loading(state, width)
        else:
            playback = state.recording.playback
            hint(playback.notice if playback and playback.notice else _EMPTY)
        return
    thread = selecting.thread(state)
    rows, boxes = _highlighted(state, thread, start, end), _highlighted(state, state.highlight, start, end)
    followed = len(highlight_cache.on_strip(state, thread)) > 0
    picture_marks.image(state, services.strip, start, end, rows if followed else None)
    canvas.push_clip_rect(start, end, True)
    picture_marks.outlines(state, boxes)
    canvas.pop_clip_rect()
    edit_marks.on_strip(state, start, end)
    _marks(state, start, width, height)
    _labels(state, start, width, height, margin)
    if state.ui.details:
        imgui.set_cursor_screen_pos(ImVec2(corner.x, corner.y + space.y - line + imgui.get_style().item_spacing.y))
        with drawers.uncovered(state.ui):
            value_line(state, _HINT)


def _bar(state: State) -> None:
    """Draw the zoom, an alarm about the first tensor with NaN or infinity, or a notice about tensors without cells."""
    left_out = state.spans_left_out
    if alarm(state):
        return
    if left_out:
        beside(theme.em(ALARM))
        imgui.align_text_to_frame_padding()
        imgui.text_colored(theme.now.text, elided(left_out_notice(left_out), imgui.get_content_region_avail().x))
        widget_tracking.track("blocks that fit")
        # Not when the button goes down: that brings Strip to the front.
        if imgui.is_item_hovered() and imgui.is_mouse_released(imgui.MouseButton_.left):
            open_map(state)
        tooltip(left_out_details(left_out))
        return
    with theme.numbers():
        if not right_of_tools(f"{state.strip.camera.zoom:.2f}x"):
            return
    view = state.strip.camera.view
    tooltip(f"cells {view.x:.0f} to {view.x + view.width:.0f}, {view.y:.0f} to {view.y + view.height:.0f}")


def _mouse(state: State, left: int, top: int, width: int, height: int) -> None:
    """Handle wheel, drag, clicks and hovering on the picture, which must be the last item."""
    io, camera, inspection = imgui.get_io(), state.strip.camera, state.inspection
    moved = bool(io.mouse_delta.x or io.mouse_delta.y)
    if imgui.is_item_hovered():
        u, v = (io.mouse_pos.x - left) / width, (io.mouse_pos.y - top) / height
        if io.mouse_wheel:
            camera.wheel(io.mouse_wheel * UNITS_PER_NOTCH, u, v)
        if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
            camera.reset()
        element = state.strip.element_at(inspection, *camera.cell_at(u, v))
        inspection.hover(element, moved)
        if element is not None and not inspection.keyed:
            state.hovered = selecting.of_element(state, element)
        clicked = imgui.is_mouse_released(imgui.MouseButton_.left)
        if clicked and io.mouse_drag_max_distance_sqr[0] < theme.em(CLICK) ** 2:
            selecting.select(state, element)
        if moved:
            state.ui.view = ATLAS
        if imgui.is_mouse_clicked(imgui.MouseButton_.right) and element is not None:
            imgui.set_window_focus()  # as a left click does, so that the arrow keys move the pin
            inspection.pin(element)
    elif not inspection.keyed and not on_map(state):
        inspection.cursor = None
    if imgui.is_item_active() and moved:
        camera.drag(io.mouse_delta.x / width, io.mouse_delta.y / height)


def _keys(state: State) -> None:
    """Let arrow keys move the inspected cell or, without one, the picture. Other keys are actions."""
    move, strip, inspection = arrow(), state.strip, state.inspection
    if move is None:
        return
    if strip.moved(inspection, *move):
        cell = inspection.cell_of(inspection.focus) if inspection.focus else None
        if cell is not None:
            strip.reveal(cell)
    else:
        strip.camera.drag(-PAN * move[0], -PAN * move[1])


def _highlighted(state: State, selection: Selection, start: ImVec2, end: ImVec2) -> np.ndarray:
    """What a selection highlights, as boxes on the screen."""
    view = state.strip.camera.view
    cells = highlight_cache.on_strip(state, selection)
    low = (cells[:, :2] - (view.x, view.y)) * (end.x - start.x) / view.width + (start.x, start.y)
    boxes = np.concatenate([low, low + cells[:, 2:] * (end.x - start.x) / view.width], axis=1)
    return picture_marks.visible(boxes, start, end)


def _marks(state: State, start: ImVec2, width: int, height: int) -> None:
    """Outline the pinned cells, the cell under the cursor, and its tensor."""
    inspection, sheet, view = state.inspection, state.strip.sheet, state.strip.camera.view
    canvas = imgui.get_window_draw_list()
    marked = [(pin.element, theme.PIN_ON_PICTURE) for pin in inspection.pins]
    if inspection.cursor is not None:
        marked.append((inspection.cursor, theme.ON_PICTURE))
    canvas.push_clip_rect(start, ImVec2(start.x + width, start.y + height), True)
    pixels = width / view.width
    focus = inspection.tensors.get(inspection.focus.name) if inspection.focus else None
    box = sheet.box_of(focus.span.first) if focus and focus.span else None
    if box is not None:
        corner = ImVec2(start.x + (box.x - view.x) * pixels - 2, start.y + (box.y - view.y) * pixels - 2)
        end = ImVec2(corner.x + box.columns * pixels + 4, corner.y + box.rows * pixels + 4)
        canvas.add_rect(corner, end, packed(theme.ON_PICTURE, 0.7))
    for element, color in marked:
        cell = inspection.cell_of(element)
        position = None if cell is None else sheet.position_of(cell)
        if position is None:
            continue
        x, y = position
        middle = ImVec2(start.x + (x + 0.5 - view.x) * pixels, start.y + (y + 0.5 - view.y) * pixels)
        half = max(pixels, theme.em(OUTLINE)) / 2 + 1
        canvas.add_rect(
            ImVec2(middle.x - half, middle.y - half), ImVec2(middle.x + half, middle.y + half), packed(color), 0.0
        )
    canvas.pop_clip_rect()


def _labels(state: State, start: ImVec2, width: int, height: int, margin: float) -> None:
    """Write the names of bands and tensors."""
    strip, canvas = state.strip, imgui.get_window_draw_list()
    loaded = imgui.get_io().fonts.fonts
    font = loaded[1] if len(loaded) > 1 else loaded[0]
    letters = Letters(theme.em(_LETTERS), functools.cache(lambda size: letter_width(font, size)))
    for label in strip_labels(strip.sheet, strip.camera.view, width, height, letters, margin):
        color = theme.now.text if label.role is None else ImVec4(*role_ink(label.role, state.ui.theme), 1.0)
        # Letters on whole pixels are sharper.
        corner = ImVec2(math.floor(start.x + label.x), math.floor(start.y + label.y))
        canvas.add_text(font, label.size, corner, packed(color), label.text)
