"""The enlarged head of the Attention panel: scores, mask and softmax, with the tokens on both axes."""

from __future__ import annotations

import math
from dataclasses import replace

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.attention_layout import AttentionLayout, MatrixBox
from atlas_viewer.state.attention_view import STEP_TITLES, AttentionView
from atlas_viewer.state.comparing import RELATIVE, A
from atlas_viewer.state.navigation import ATTENTION
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_start
from atlas_viewer.ui import theme, widget_tracking
from compute.models.tensor_index import TensorIndex
from compute.views.attention_colors import ATTENTION_COLORS, AttentionColors
from compute.views.attention_head import SCORES, WEIGHTS, MatrixPicture
from compute.views.palettes import Rgb

from . import edit_marks
from .attention_letters import SMALL, small_elided, small_text, small_width, upward_text
from .view_common import CLICK
from .widgets import packed

_ZOOM = 1.25  # for one notch of the wheel
_BESIDE = 5.0  # ems beside a title for the range of the colors
_BAR = 0.45  # height of a color bar, in ems


def draw(
    state: State,
    layout: AttentionLayout,
    corner: ImVec2,
    pictures: tuple[imgui.ImTextureRef | None, ...],
    texts: tuple[str, ...],
) -> None:
    """Draw the matrices with their titles, color bars and tokens. corner: of the panel; texts: of the tokens."""
    view, canvas = state.attention, imgui.get_window_draw_list()
    ratio = imgui.get_io().display_framebuffer_scale.x
    key, query = view.origin[0] * view.rows, view.origin[1] * view.rows
    origin = ImVec2(int(corner.x), int(corner.y))
    state.inspection.cursor = state.inspection.cursor if state.inspection.keyed or state.ui.view != ATTENTION else None
    for box in layout.matrices:
        _mouse(state, layout, box, origin)
    for box in layout.matrices:
        pixels, picture = round(box.side * ratio), pictures[box.step]
        view.matrix_pictures.append(MatrixPicture(box.step, pixels, key, query, view.cell(pixels)))
        low = ImVec2(origin.x + box.x, origin.y + box.y)
        high = ImVec2(low.x + box.side, low.y + box.side)
        if picture is not None:
            canvas.add_image(picture, low, high)
        canvas.add_rect(ImVec2(low.x - 1, low.y - 1), ImVec2(high.x + 1, high.y + 1), packed(theme.now.line))
        _marks(view, low, box.side)
        edit_marks.on_pattern(state, view, low, box.side)
        above = layout.title + (layout.column_label if box.labels else 0)
        _title(state, box, ImVec2(low.x, low.y - above))
        if box.labels:
            _columns(view, layout.column_label, low, box.side, texts)
            if box.x == min(other.x for other in layout.matrices if other.labels):
                _rows(view, layout.row_label, low, box.side, texts)


def _mouse(state: State, layout: AttentionLayout, box: MatrixBox, origin: ImVec2) -> None:
    """Find the element or token under the mouse in one matrix and its labels; handle wheel, drag and clicks."""
    view, side, io = state.attention, box.side, imgui.get_io()
    first = box.labels and box.x == min(other.x for other in layout.matrices if other.labels)
    left, top = origin.x + box.x, origin.y + box.y
    before, above = (layout.row_label if first else 0), (layout.column_label if box.labels else 0)
    imgui.set_cursor_screen_pos(ImVec2(left - before, top - above))
    name = f"attention {STEP_TITLES[box.step].lower()}"
    widget_tracking.invisible_button(name, ImVec2(side + before, side + above))
    moved = bool(io.mouse_delta.x or io.mouse_delta.y)
    if imgui.is_item_active() and moved and view.zoom > 1:
        view.drag(io.mouse_delta.x / side, io.mouse_delta.y / side)
    if not imgui.is_item_hovered():
        return
    x, y = io.mouse_pos.x - left, io.mouse_pos.y - top
    if io.mouse_wheel and io.key_ctrl:
        view.zoom_by(_ZOOM**io.mouse_wheel, max(x, 0.0) / side, max(y, 0.0) / side)
    elif io.mouse_wheel:
        view.move_layers(-1 if io.mouse_wheel > 0 else 1)
    found = view.element_at(min(max(x, 0.0), side - 1.0), min(max(y, 0.0), side - 1.0), side)
    if found is not None and max(x, y) >= 0:
        _point(state, found[0] if y >= 0 else None, found[1] if x >= 0 else None, moved)
    if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        view.fit()


def _point(state: State, query: int | None, key: int | None, moved: bool) -> None:
    """Highlight the query and the key under the mouse; a click selects them, a right click pins the element."""
    view, start = state.attention, context_start(state)
    view.query, view.key = query, key
    element = None
    if query is not None and key is not None:
        element = TensorIndex(view.pattern, (view.head, query, key))
        state.hovered = selecting.of_element(state, element)
    else:
        row = key if query is None else query
        assert row is not None
        token = selecting.of_token(state, start + row)
        state.hovered = replace(token, layer=view.layer, head=view.head)
    state.inspection.hover(element, moved)
    if moved:
        state.ui.view = ATTENTION
    io = imgui.get_io()
    if imgui.is_mouse_released(imgui.MouseButton_.left) and io.mouse_drag_max_distance_sqr[0] < theme.em(CLICK) ** 2:
        state.selected = state.hovered
    if imgui.is_mouse_clicked(imgui.MouseButton_.right) and element is not None:
        imgui.set_window_focus()  # as a left click does, so that the arrow keys apply here
        state.inspection.pin(element)


def _marks(view: AttentionView, low: ImVec2, side: int) -> None:
    """Outline the row of the query and the column of the key in view."""
    canvas, cell = imgui.get_window_draw_list(), view.cell(side)
    canvas.push_clip_rect(ImVec2(low.x - 1, low.y - 1), ImVec2(low.x + side + 1, low.y + side + 1), True)
    color = packed(theme.now.accent, 0.9)
    if not view.reads_key:
        y = low.y + (view.shown_query - view.origin[1] * view.rows) * cell
        canvas.add_rect(ImVec2(low.x, y), ImVec2(low.x + side, y + max(cell, 2.0)), color)
    if view.key is not None:
        x = low.x + (view.key - view.origin[0] * view.rows) * cell
        canvas.add_rect(ImVec2(x, low.y), ImVec2(x + max(cell, 2.0), low.y + side), color)
    canvas.pop_clip_rect()


def _title(state: State, box: MatrixBox, corner: ImVec2) -> None:
    """Write the step's name, its range, and a bar of its colors; a click on the name enlarges the step."""
    view, step, width = state.attention, box.step, box.side
    colors = ATTENTION_COLORS["light" if state.ui.theme == "light" else "dark"]
    name = f"{step + 1} {STEP_TITLES[step]}"
    compared = f"{name}, {state.comparing.shown}"
    if state.comparing.shown != A and imgui.calc_text_size(compared).x < width - theme.em(_BESIDE):
        name = compared
    size = imgui.calc_text_size(name)
    imgui.set_cursor_screen_pos(corner)
    if widget_tracking.invisible_button(f"{name}##attention title", size):
        view.step = step
    ink = theme.now.accent if imgui.is_item_hovered() and view.step != step else theme.now.text
    imgui.get_window_draw_list().add_text(corner, packed(ink), name)
    left = corner.x + size.x + theme.em(0.8)
    line = view.line if view.line is not None and (view.line.layer, view.line.head) == (view.layer, view.head) else None
    peak = None if line is None else line.peaks[0 if step == SCORES else 1]
    differs = state.comparing.subtracts
    signed = differs and (step == WEIGHTS or state.comparing.shown == RELATIVE)
    ends = (
        ("-1", "1")
        if signed
        else ("0", "1")
        if step == WEIGHTS
        else ("...", "...")
        if peak is None
        else (f"-{peak:.1f}", f"{peak:.1f}")
    )
    y = corner.y + theme.em(0.1)
    right = corner.x + width - small_width(ends[1])
    if right - left < theme.em(3.5):
        short = "\u00b11" if signed else "0 to 1" if step == WEIGHTS else "" if peak is None else f"\u00b1{peak:.1f}"
        small_text(ImVec2(corner.x + width - small_width(short), y), theme.now.text_dim, short)
        return
    small_text(ImVec2(left, y), theme.now.text_dim, ends[0])
    small_text(ImVec2(right, y), theme.now.text_dim, ends[1])
    left += small_width(ends[0]) + theme.em(0.3)
    _bar(colors, step == WEIGHTS and not differs, ImVec2(left, y + theme.em(0.3)), right - theme.em(0.3) - left)


def _bar(colors: AttentionColors, weights: bool, corner: ImVec2, width: float) -> None:
    """A bar of the colors from the lowest value to the highest; that of weights has a square-root scale."""
    signed = (colors.negative[1], colors.negative[0], colors.positive[1])
    stops = colors.weights if weights else signed
    canvas, part = imgui.get_window_draw_list(), width / 2
    for index in range(2):
        low = ImVec2(corner.x + index * part, corner.y)
        first, second = _ink(stops[index]), _ink(stops[index + 1])
        canvas.add_rect_filled_multi_color(
            low, ImVec2(low.x + part, low.y + theme.em(_BAR)), first, second, second, first
        )


def _ink(color: Rgb) -> int:
    return packed(ImVec4(*color, 1.0))


def _every(cell: float) -> int:
    """Every how many tokens there is space for a label."""
    return max(1, math.ceil(theme.em(SMALL + 0.08) / cell))


def _visible(view: AttentionView, origin: float, side: int) -> range:
    """Indices of the tokens along one side of the matrices."""
    first = int(origin * view.rows)
    return range(first, min(view.rows, math.ceil(first + 1 + side / view.cell(side))))


def _rows(view: AttentionView, space: int, low: ImVec2, side: int, texts: tuple[str, ...]) -> None:
    """Write the queries to the left of the first matrix."""
    cell, width = view.cell(side), space - theme.em(0.5)
    every, high = _every(cell), theme.em(SMALL)
    marked = None if view.reads_key else view.shown_query
    taken = None
    for row in sorted(_visible(view, view.origin[1], side), key=lambda row: row != marked):
        if row >= len(texts) or (row % every and row != marked):
            continue
        y = low.y + (row + 0.5 - view.origin[1] * view.rows) * cell - high / 2
        if y < low.y - high / 2 - 1 or y > low.y + side - high / 2 or (taken is not None and abs(y - taken) < high):
            continue
        text = small_elided(texts[row], width)
        x = low.x - small_width(text) - theme.em(0.4)
        if row == marked:
            taken = y
            _back(ImVec2(x, y), ImVec2(low.x - theme.em(0.2), y + high))
        small_text(ImVec2(x, y), theme.now.text if row == marked else theme.now.text_dim, text)


def _columns(view: AttentionView, space: int, low: ImVec2, side: int, texts: tuple[str, ...]) -> None:
    """Write the keys above a matrix, from bottom to top."""
    cell, width = view.cell(side), space - theme.em(0.4)
    every, high = _every(cell), theme.em(SMALL)
    taken = None
    for key in sorted(_visible(view, view.origin[0], side), key=lambda key: key != view.key):
        if key >= len(texts) or (key % every and key != view.key):
            continue
        x = low.x + (key + 0.5 - view.origin[0] * view.rows) * cell - high / 2
        if x < low.x - high / 2 - 1 or x > low.x + side - high / 2 or (taken is not None and abs(x - taken) < high):
            continue
        text = small_elided(texts[key], width)
        foot = ImVec2(x, low.y - theme.em(0.3))
        if key == view.key:
            taken = x
            _back(ImVec2(x, foot.y - small_width(text)), ImVec2(x + high, low.y - theme.em(0.15)))
        upward_text(foot, theme.now.text if key == view.key else theme.now.text_dim, text)


def _back(low: ImVec2, high: ImVec2) -> None:
    """A background behind the token in view."""
    edge = theme.em(0.12)
    imgui.get_window_draw_list().add_rect_filled(
        ImVec2(low.x - edge, low.y - edge), ImVec2(high.x + edge, high.y + edge), packed(theme.now.accent_dim), 3.0
    )
