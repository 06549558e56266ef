"""The Strip panel: the picture of every tensor of the latest pass, panned and zoomed with mouse and keys."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.camera import CELLS_HIGH, CELLS_WIDE, StripCamera, fitted
from atlas_viewer.state.inspection import Inspection, rectangles
from atlas_viewer.state.navigation import ATLAS, on_map
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import color_bar, color_controls
from .toolbar import toolbar
from .view_common import (
    ALARM,
    OUTLINE,
    PAN,
    UNITS_PER_NOTCH,
    alarm,
    arrow,
    copy_value,
    loading,
    right_of_tools,
    value_line,
)
from .widgets import beside, elided, hint, packed, tooltip

NAME = ATLAS

_EMPTY = "Every weight and activation of the latest pass appears here."
_HINT = "wheel zooms, drag pans, F fits, right-click pins"


def draw(state: State, services: Services) -> None:
    """Draw the tools, the picture as large as possible, and a line about the cell under the cursor."""
    if state.ui.tools:
        toolbar("atlas tools", color_controls.tools(state, state.palettes))
        _bar(state)
    if state.ui.details:
        color_bar.draw(state)
    space = imgui.get_content_region_avail()
    line = imgui.get_text_line_height_with_spacing() if state.ui.details else 0.0
    width, height = fitted(int(space.x), int(space.y - line))
    if height < theme.em(1):
        return  # too small for a picture
    corner = imgui.get_cursor_screen_pos()
    # Whole pixels, so that picture pixels match screen pixels.
    left, top = int(corner.x + (space.x - width) / 2), int(corner.y + (space.y - line - height) / 2)
    start, end = ImVec2(left, top), ImVec2(left + width, top + height)
    canvas = imgui.get_window_draw_list()
    imgui.set_cursor_screen_pos(start)
    widget_tracking.invisible_button("picture", ImVec2(width, height))
    _mouse(state, left, top, width, height)
    _keys(state)
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
    canvas.add_image(services.strip, start, end)
    _marks(state, start, width, height)
    if state.ui.details:
        imgui.set_cursor_screen_pos(ImVec2(corner.x, corner.y + space.y - line + imgui.get_style().item_spacing.y))
        value_line(state, _HINT)


def _bar(state: State) -> None:
    """Draw the zoom, or an alarm about the first tensor with NaN or infinity or about tensors without cells."""
    left_out = state.spans_left_out
    if alarm(state):
        return
    if left_out:
        beside(theme.em(ALARM))
        imgui.align_text_to_frame_padding()
        text = f"{len(left_out)} tensors did not fit"
        imgui.text_colored(theme.now.error, elided(text, imgui.get_content_region_avail().x))
        tooltip("No cells left for:\n" + "\n".join(left_out[:12]) + ("\n..." if len(left_out) > 12 else ""))
        return
    with theme.numbers():
        if not right_of_tools(f"{state.camera.zoom:.2f}x"):
            return
    view = state.camera.view
    tooltip(f"cells {view.x:.0f} to {view.x + view.width:.0f}, {view.y:.0f} to {view.y + view.height:.0f}")


def _mouse(state: State, left: int, top: int, width: int, height: int) -> None:
    """Handle wheel, drag, clicks and hovering on the picture, which must be the last item."""
    io, camera, inspection = imgui.get_io(), state.camera, state.inspection
    moved = bool(io.mouse_delta.x or io.mouse_delta.y)
    if imgui.is_item_hovered():
        u, v = (io.mouse_pos.x - left) / width, (io.mouse_pos.y - top) / height
        if io.mouse_wheel:
            camera.wheel(io.mouse_wheel * UNITS_PER_NOTCH, u, v)
        if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
            camera.reset()
        x, y = camera.cell_at(u, v)
        cell = min(max(int(y), 0), CELLS_HIGH - 1) * CELLS_WIDE + min(max(int(x), 0), CELLS_WIDE - 1)
        element = inspection.element_at(cell)
        inspection.hover(element, moved)
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
    move, camera, inspection = arrow(), state.camera, state.inspection
    if move is None:
        return
    if inspection.step(*move):
        _follow(camera, inspection)
    else:
        camera.drag(-PAN * move[0], -PAN * move[1])


def _follow(camera: StripCamera, inspection: Inspection) -> None:
    """Move the camera so that the cell in focus is visible."""
    cell = inspection.cell_of(inspection.focus) if inspection.focus else None
    if cell is None:
        return
    y, x = divmod(cell, CELLS_WIDE)
    view = camera.view
    if not (view.x <= x < view.x + view.width and view.y <= y < view.y + view.height):
        camera.look_at(camera.zoom, x + 0.5, y + 0.5)


def _marks(state: State, start: ImVec2, width: int, height: int) -> None:
    """Outline the pinned cells, the cell under the cursor, and its tensor."""
    inspection, view = state.inspection, state.camera.view
    canvas = imgui.get_window_draw_list()
    marked = [(pin.element, theme.PIN_ON_PICTURE) for pin in inspection.pins]
    if inspection.cursor is not None:
        marked.append((inspection.cursor, theme.ON_PICTURE))
    canvas.push_clip_rect(start, ImVec2(start.x + width, start.y + height), True)
    pixels = width / view.width
    focus = inspection.tensors.get(inspection.focus.name) if inspection.focus else None
    for x, y, columns, rows in rectangles(focus.span) if focus and focus.span else ():
        corner = ImVec2(start.x + (x - view.x) * pixels - 1, start.y + (y - view.y) * pixels - 1)
        end = ImVec2(corner.x + columns * pixels + 2, corner.y + rows * pixels + 2)
        canvas.add_rect(corner, end, packed(theme.ON_PICTURE, 0.45))
    for element, color in marked:
        cell = inspection.cell_of(element)
        if cell is None:
            continue
        y, x = divmod(cell, CELLS_WIDE)
        middle = ImVec2(start.x + (x + 0.5 - view.x) * pixels, start.y + (y + 0.5 - view.y) * pixels)
        half = max(pixels, theme.em(OUTLINE)) / 2 + 1
        canvas.add_rect(
            ImVec2(middle.x - half, middle.y - half), ImVec2(middle.x + half, middle.y + half), packed(color), 0.0
        )
    canvas.pop_clip_rect()
