"""The Map panel: every value of the model on one plane, panned and zoomed with mouse and keys."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import navigation, selecting
from atlas_viewer.state.map_bands import Words
from atlas_viewer.state.map_hit_test import element_at
from atlas_viewer.state.map_labels import labels_for
from atlas_viewer.state.map_logits import likeliest
from atlas_viewer.state.map_state import KeptLabels, MapState
from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_token
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services
from compute.errors import UsageError

from . import (
    color_bar,
    color_controls,
    drawers,
    edit_marks,
    map_marks,
    map_overlay,
    map_rectangle,
    minimap,
    picture_marks,
)
from .map_frame import Frame
from .toolbar import Tool, button_width, toolbar
from .view_common import (
    CLICK,
    PAN,
    UNITS_PER_NOTCH,
    alarm,
    arrow,
    copy_value,
    loading,
    progress,
    right_of_tools,
    value_line,
)
from .widgets import hint, packed, tooltip

NAME = navigation.MAP

_HINT = "wheel zooms, drag pans, double-click goes to the weights behind a value, G goes to a name, Ctrl+E edits"
_FIELD = 22.0  # ems
_STEPPED = 4.0  # minimum pixels per cell at which arrow keys step from cell to cell
_BACK, _FORWARD = 3, 4  # imgui's numbers for a mouse's side buttons


def draw(state: State, services: Services) -> None:
    """Draw the tools, the picture with its labels, and a line about the value under the cursor."""
    with drawers.uncovered(state.ui):
        if state.ui.tools:
            toolbar("map tools", [*_tools(state), *color_controls.tools(state, state.palettes, sampled=False)])
            _bar(state)
        if state.ui.details:
            color_bar.draw(state)
    space = imgui.get_content_region_avail()
    line = imgui.get_text_line_height_with_spacing() if state.ui.details else 0.0
    corner = imgui.get_cursor_screen_pos()
    left, top, width, height = int(corner.x), int(corner.y), int(space.x), int(space.y - line)
    if height < theme.em(1) or width < theme.em(1):
        return  # too small for a picture
    ratio = imgui.get_io().display_framebuffer_scale.x
    frame = Frame(left, top, width, height, ratio)
    maps = state.map
    imgui.set_cursor_screen_pos(ImVec2(left, top))
    imgui.set_next_item_allow_overlap()
    widget_tracking.invisible_button("map", ImVec2(width, height))
    maps.size, maps.line = frame.pixels, max(1.0, theme.em(0.09) * ratio)
    state.ui.picture_sizes[NAME] = frame.pixels
    canvas = imgui.get_window_draw_list()
    start, end = ImVec2(left, top), ImVec2(left + width, top + height)
    if services.map is None or maps.layout is None:
        canvas.add_rect_filled(start, end, packed(theme.now.back_deep))
        imgui.set_cursor_screen_pos(ImVec2(left + theme.em(0.7), top + theme.em(0.5)))
        _no_picture(state, width)
    else:
        navigation.arrive(state)
        maps.advance(time.perf_counter())
        _mouse(state, frame)
        _keys(state)
        canvas.push_clip_rect(start, end, True)
        thread = map_marks.MapMarks(state, frame, selecting.thread(state))
        marks = (
            thread if selecting.thread(state) == state.highlight else map_marks.MapMarks(state, frame, state.highlight)
        )
        picture_marks.image(state, services.map, start, end, thread.boxes if thread.some else None)
        picture_marks.outlines(state, marks.boxes)
        edit_marks.on_map(state, frame)
        map_rectangle.draw(state, frame)
        if maps.minimap is not None:
            picture_marks.uncover(services.map, frame, maps.minimap)
        _labels(state, frame, services.tokenizer)
        (thread if thread.some else marks).labels(state)
        maps.minimap = minimap.draw(maps, frame, drawers.covered(state.ui)) if _minimap(state) else None
        canvas.pop_clip_rect()
        if maps.going:
            _field(state, frame)
    copy_value(state)
    if state.ui.details:
        imgui.set_cursor_screen_pos(ImVec2(corner.x, corner.y + space.y - line + imgui.get_style().item_spacing.y))
        with drawers.uncovered(state.ui):
            value_line(state, _HINT)


def _no_picture(state: State, width: float) -> None:
    """Say why there is no picture."""
    if state.loading:
        loading(state, width)  # a problem with the previous model may not apply to the next
    elif state.map.problem:
        hint(state.map.problem)
    else:
        step, done = state.map.preparing or ("", 0.0)
        progress("preparing the map of every weight and activation ...", step, done, width)


def _tools(state: State) -> list[Tool]:
    """The buttons for navigation."""
    maps = state.map

    def button(label: str, tip: str, act: Callable[[], None]) -> Tool:
        def draw() -> None:
            if widget_tracking.button(label):
                act()
            tooltip(tip)

        return Tool(button_width(label.partition("##")[0]), draw)

    def go_to() -> None:
        maps.going, maps.going_begun, maps.refused = not maps.going, False, ""

    return [
        button("<##map back", "Back to the previous view  Alt+[", maps.back),
        button(">##map forward", "Forward to the next view  Alt+]", maps.forward),
        button("Fit###Fit##map", "Show the whole map  F", maps.fit),
        button("Go to###Go to##map", "Go to a tensor or value by name  G", go_to),
    ]


def _bar(state: State) -> None:
    """Draw an alarm, or the size of a cell."""
    maps = state.map
    if alarm(state):
        return
    with theme.numbers():
        cell = maps.cell
        text = f"{cell:.3g} px/cell" if cell >= 1 else f"{1 / cell:.3g} cells/px"
        right_of_tools(text)


def _minimap(state: State) -> bool:
    """True when the minimap is visible: not while a walk shows its subject, whose labels it would cover."""
    return state.ui.minimap and state.walks.subject is None


def _mouse(state: State, frame: Frame) -> None:
    """Handle wheel, drag, clicks and hovering on the picture, which must be the last item."""
    io, maps, inspection = imgui.get_io(), state.map, state.inspection
    moved = bool(io.mouse_delta.x or io.mouse_delta.y)
    if imgui.is_item_active() and moved and state.edit_menu.drag is None:
        maps.camera.drag(io.mouse_delta.x * frame.ratio, io.mouse_delta.y * frame.ratio, *maps.size)
    if not imgui.is_item_hovered() and not imgui.is_item_active():
        if not inspection.keyed and navigation.on_map(state):
            inspection.cursor = None
        _side_buttons(maps)
        return
    if moved or io.mouse_wheel:
        state.ui.view = NAME
    x, y = frame.pixel(io.mouse_pos)
    if io.mouse_wheel:
        maps.camera.wheel(io.mouse_wheel * UNITS_PER_NOTCH, x, y, *maps.size)
    assert maps.layout is not None
    element = element_at(inspection, maps.layout, maps.view, math.floor(x), math.floor(y))
    inspection.hover(element, moved)
    if element is not None and not inspection.keyed:
        state.hovered = selecting.of_element(state, element)
    if map_rectangle.drag(state, element):
        return
    if imgui.is_mouse_clicked(imgui.MouseButton_.right) and element is not None:
        imgui.set_window_focus()  # as a left click does, so that the arrow keys move the pin
        inspection.pin(element)
    if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        _double_click(state)
    elif imgui.is_mouse_released(imgui.MouseButton_.left) and io.mouse_drag_max_distance_sqr[0] < theme.em(CLICK) ** 2:
        name = map_overlay.named_at(maps, frame, io.mouse_pos)
        if name:
            maps.frame(name)
        else:
            selecting.select(state, element)
    _side_buttons(maps)


def _double_click(state: State) -> None:
    """Go to the weights that produced the value, or show all of a weight; outside tensors, show the whole map."""
    focus = state.inspection.focus
    if focus is None:
        state.map.fit()
    elif navigation.makers(state) is not None:
        navigation.go_to_makers(state)
    else:
        state.map.frame(focus.name)


def _side_buttons(maps: MapState) -> None:
    """Go back and forward, with the mouse anywhere over the panel."""
    if imgui.is_window_hovered():
        if imgui.is_mouse_clicked(_BACK):
            maps.back()
        if imgui.is_mouse_clicked(_FORWARD):
            maps.forward()


def _keys(state: State) -> None:
    """Let arrow keys move the inspected cell if cells are large enough, otherwise the picture."""
    move, maps, inspection = arrow(), state.map, state.inspection
    if move is None:
        return
    if maps.cell >= _STEPPED and inspection.step(*move):
        if inspection.focus is not None:
            maps.follow(inspection.focus)
    else:
        maps.camera.drag(-PAN * move[0] * maps.size[0], -PAN * move[1] * maps.size[1], *maps.size)


def _labels(state: State, frame: Frame, tokenizer: TokenCodec | None) -> None:
    """Draw the labels, reusing those of the previous frame until they change."""
    maps = state.map
    if maps.registry is None or maps.layout is None:
        return
    scale = theme.zoom() * frame.ratio  # labels are laid out for a zoom of 1
    run, inspection = state.run, state.inspection
    key = (maps.view, maps.size, scale, maps.layout)
    rows = (
        maps.registry.rows, inspection.rows, inspection.first_position, run.number if run else 0,
        len(run.steps) if run else 0, likeliest(state.step),
    )  # fmt: skip
    known = maps.labels
    if known.key != key or (known.made.by_row and known.rows != rows):
        words = Words(lambda row: _context(state, row), lambda token: _token(tokenizer, token), likeliest(state.step))
        found = labels_for(
            maps.registry, maps.layout, frame.scaled(maps.view, scale), int(frame.pixels[0] / scale),
            int(frame.pixels[1] / scale), words,
        )  # fmt: skip
        maps.labels = KeptLabels(key, rows, found)
    map_overlay.labels(maps, frame, state.ui.theme)


def _context(state: State, row: int) -> str | None:
    token = context_token(state, row)
    return None if token is None else quoted(token[1])


def _token(tokenizer: TokenCodec | None, token: int) -> str:
    return quoted(tokenizer.token_label(token)) if tokenizer else str(token)


def _field(state: State, frame: Frame) -> None:
    """Draw the field for typing an index or a name; Enter goes there, Escape closes the field."""
    maps = state.map
    width = min(theme.em(_FIELD), frame.width - theme.em(1))
    padding = theme.em(0.4)
    corner = ImVec2(frame.left + (frame.width - width) / 2, frame.top + theme.em(0.6))
    canvas = imgui.get_window_draw_list()
    high = imgui.get_frame_height() + 2 * padding
    if maps.refused:
        high += imgui.calc_text_size(maps.refused, wrap_width=width - 2 * padding).y + padding
    end = ImVec2(corner.x + width, corner.y + high)
    canvas.add_rect_filled(corner, end, packed(theme.now.back_deep), theme.em(0.3))
    canvas.add_rect(corner, end, packed(theme.now.accent), theme.em(0.3))
    imgui.set_cursor_screen_pos(ImVec2(corner.x + padding, corner.y + padding))
    imgui.set_next_item_width(width - 2 * padding)
    if not maps.going_begun:
        imgui.set_keyboard_focus_here()
        maps.going_begun = True
    flags = imgui.InputTextFlags_.enter_returns_true | imgui.InputTextFlags_.auto_select_all
    entered, typed = widget_tracking.input_text_with_hint("##place", "h.3.mlp.c_fc.weight[12, 70]", maps.typed, flags)
    if typed != maps.typed:
        maps.typed, maps.refused = typed, ""
    if maps.refused:
        imgui.set_cursor_screen_pos(ImVec2(corner.x + padding, corner.y + 2 * padding + imgui.get_frame_height()))
        imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + width - 2 * padding)
        imgui.text_colored(theme.now.error, maps.refused)
        imgui.pop_text_wrap_pos()
    if imgui.is_key_pressed(imgui.Key.escape, False):
        maps.going = False
    elif entered:
        try:
            navigation.go(state, maps.typed)
            maps.going = False
        except UsageError as error:
            maps.refused, maps.going_begun = str(error), False
