"""The formula card: how the element under the cursor was computed, beside its cell, with links to its sources."""

from __future__ import annotations

import time

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import formula_text
from atlas_viewer.state.formula_card import Box, focused, position
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import context_token
from compute.views.formula import Formula

from . import formula_links, formula_picture
from .formula_view import View, go, view_of
from .widgets import elided, packed

_WIDTH = 25.0  # ems
_GAP = 1.0  # ems between the card and a cell, and to the edge of the picture
_LINE = 1.22  # height of a line, in ems
_LEAST = 12.0  # ems: in a smaller picture there is no card
_FLAGS = (
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_focus_on_appearing
    | imgui.WindowFlags_.no_nav
)


def draw(state: State) -> None:
    """Draw the card of the element in focus, if there is one, over the view in front."""
    card, io = state.formula, imgui.get_io()
    view = view_of(state)
    element = focused(state.inspection) if view is not None and state.ui.formulas and not state.ui.dialog else None
    moved = bool(io.mouse_delta.x or io.mouse_delta.y) and not state.inspection.keyed
    card.follow(element, moved, time.perf_counter(), io.delta_time)
    found, held = card.shown, card.held
    card.held = False
    dragging = any(io.mouse_down) and not held
    if found is None or view is None or not state.ui.formulas or dragging:
        return
    if min(view.width, view.height) < theme.em(_LEAST):
        return
    box = _card(state, found, view)
    card.held = _inside(io.mouse_pos, box)
    card.held = formula_links.draw(state, found, view, box) or card.held


def _card(state: State, found: Formula, view: View) -> Box:
    """Draw the card. Returns its edges on the screen."""
    lines = formula_text.rows(found, lambda row: _token(state, row))
    size = _size(found, len(lines), view)
    cell = view.cell(found.element)
    middle = ((view.left + view.right) / 2, (view.top + view.bottom) / 2)
    left, top = position(
        size, view.box, cell or (*middle, *middle), [box for source in found.sources for box in view.source(source)],
        theme.em(_GAP),
    )  # fmt: skip
    imgui.set_next_window_pos(ImVec2(left, top))
    imgui.set_next_window_size(ImVec2(*size))
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
    imgui.push_style_var(imgui.StyleVar_.window_padding, ImVec2(theme.em(0.7), theme.em(0.5)))
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(theme.em(0.4), 0))
    with (
        theme.colored(imgui.Col_.window_bg, theme.now.back_deep),
        theme.colored(imgui.Col_.border, theme.now.accent),
    ):
        imgui.begin("##formula", None, _FLAGS)
    imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    _head(found)
    formula_picture.draw(state, found)
    peak = max((abs(line.value) for line in lines if abs(line.value) < float("inf")), default=0.0)
    for number, line in enumerate(lines):
        _row(state, number, line, peak)
    _foot(found)
    imgui.dummy(ImVec2(0, 0))
    imgui.end()
    imgui.pop_style_var(3)
    return (left, top, left + size[0], top + size[1])


def _size(found: Formula, lines: int, view: View) -> tuple[float, float]:
    gap, wide = theme.em(_GAP), theme.em(_WIDTH)
    text = 1 + _wrapped_lines(found) + bool(formula_text.numbers(found)) + lines + 1
    high = theme.em(_LINE * text + 1.5) + formula_picture.height(found)
    return min(wide, view.width - 2 * gap), min(high, view.height - 2 * gap)


def _wrapped_lines(found: Formula) -> int:
    with theme.numbers():
        wide = theme.em(_WIDTH - 1.4)
        high = imgui.calc_text_size(f"= {formula_text.equation(found)}", wrap_width=wide).y
        return max(1, round(high / imgui.get_text_line_height()))


def _head(found: Formula) -> None:
    """The element and its value, the equation, and the equation with numbers."""
    with theme.numbers():
        value = formula_text.number(found.value)
        wide = imgui.get_content_region_avail().x
        gap = imgui.calc_text_size(value).x
        line_start = imgui.get_cursor_pos()
        imgui.text(elided(str(found.element), wide - gap - theme.em(1)))
        imgui.same_line(line_start.x + wide - gap)
        imgui.text_colored(theme.now.accent, value)
        _advance(line_start, 1)
        lines = _wrapped_lines(found)
        start = imgui.get_cursor_pos()
        imgui.push_text_wrap_pos(start.x + wide)
        imgui.text(f"= {formula_text.equation(found)}")
        imgui.pop_text_wrap_pos()
        _advance(start, lines)
        numbers = formula_text.numbers(found)
        if numbers:
            start = imgui.get_cursor_pos()
            imgui.text_colored(theme.now.text_dim, elided(f"= {numbers}", wide))
            _advance(start, 1)


def _advance(start: ImVec2, lines: int) -> None:
    imgui.set_cursor_pos(ImVec2(start.x, start.y + theme.em(_LINE * lines)))


def _row(state: State, number: int, line: formula_text.Row, peak: float) -> None:
    """A line of the sum with a bar; a click on a factor goes to it."""
    canvas, start, wide = (
        imgui.get_window_draw_list(),
        imgui.get_cursor_screen_pos(),
        imgui.get_content_region_avail().x,
    )
    high = theme.em(_LINE)
    local = imgui.get_cursor_pos()
    targets = dict(line.targets)
    _bar(state, ImVec2(start.x, start.y), wide, high, line.value / peak if peak else 0.0)
    split = theme.em(14.2)
    halves = (("left", 0.0, split if "right" in targets else wide), ("right", split, wide - split))
    for side, offset, width in halves:
        if side in targets:
            imgui.set_cursor_pos(ImVec2(local.x + offset, local.y))
            if widget_tracking.invisible_button(f"formula:{number}:{side}", ImVec2(width, high)):
                go(state, targets[side])
            if imgui.is_item_hovered():
                imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
                low = ImVec2(start.x + offset, start.y)
                canvas.add_rect_filled(low, ImVec2(low.x + width, low.y + high), packed(theme.now.accent_faint))
                imgui.set_tooltip(f"Go to {targets[side]}")
    with theme.numbers():
        label = elided(line.label, theme.em(7.5) if line.text else theme.em(14))
        value = formula_text.number(line.value)
        top = start.y + (high - imgui.get_text_line_height()) / 2
        dim, ink = packed(theme.now.text_dim), packed(theme.now.text)
        canvas.add_text(ImVec2(start.x + theme.em(0.2), top), dim, label)
        left, _, right = line.text.partition(" \u00d7 ")
        if line.text:
            canvas.add_text(ImVec2(start.x + split - imgui.calc_text_size(left).x - theme.em(0.2), top), ink, left)
            canvas.add_text(ImVec2(start.x + split, top), ink, f"\u00d7 {right}")
        canvas.add_text(ImVec2(start.x + wide - imgui.calc_text_size(value).x - theme.em(0.2), top), ink, value)
    _advance(local, 1)
    imgui.set_cursor_pos(ImVec2(local.x, local.y + high))


def _bar(state: State, start: ImVec2, wide: float, high: float, share: float) -> None:
    """A bar from the middle of the last column: to the right for what adds, to the left for what takes away."""
    if share != share:
        return
    canvas, middle, half = imgui.get_window_draw_list(), start.x + wide - theme.em(2.6), theme.em(2.4)
    end = middle + half * min(max(share, -1.0), 1.0)
    color = formula_picture.color(state, share)
    low, high_end = ImVec2(min(middle, end), start.y + 1), ImVec2(max(middle, end), start.y + high - 1)
    canvas.add_rect_filled(low, high_end, packed(color, 0.45))


def _foot(found: Formula) -> None:
    canvas, start, wide = (
        imgui.get_window_draw_list(),
        imgui.get_cursor_screen_pos(),
        imgui.get_content_region_avail().x,
    )
    canvas.add_line(start, ImVec2(start.x + wide, start.y), packed(theme.now.line))
    with theme.numbers():
        total = formula_text.number(found.total)
        top = start.y + theme.em(_LINE) / 2 - imgui.get_text_line_height() / 2 + 2
        label = f"sum: {formula_text.difference(found)}"
        canvas.add_text(ImVec2(start.x + theme.em(0.2), top), packed(theme.now.text_dim), label)
        right = start.x + wide - imgui.calc_text_size(total).x - theme.em(0.2)
        canvas.add_text(ImVec2(right, top), packed(theme.now.accent), total)


def _token(state: State, row: int) -> str | None:
    token = context_token(state, row)
    return None if token is None else quoted(token[1])


def _inside(point: ImVec2, box: Box) -> bool:
    return box[0] <= point.x < box[2] and box[1] <= point.y < box[3]
