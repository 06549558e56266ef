"""The formula card: how the element under the cursor was computed, beside its cell, with links to its sources."""

from __future__ import annotations

import math
import re
import textwrap
import time
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import formula_edits, formula_text
from atlas_viewer.state.formula_card import Box, focused, position
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_start, context_token
from atlas_viewer.ui import theme, widget_tracking
from compute.views.formula import Formula

from . import formula_links, formula_picture
from .formula_view import View, go, view_of
from .widgets import elided, packed

_WIDTH = 25.0  # ems
_GAP = 1.0  # ems between the card and a cell, and to the edge of the picture
_LINE = 1.22  # height of a line, in ems
# Ends of columns, in ems: the left factor ends and the right one begins; the bar begins; the width of the value.
_RIGHT, _BAR, _VALUE = 9.8, 15.6, 4.9
_INDEX = re.compile(r"\[[^]]*\]")
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
    if moved:
        card.flights = state.map.flights
    elif card.flights != state.map.flights and not state.inspection.keyed:
        element = None  # a flight has brought a cell under the mouse, which did not ask for it
    card.follow(element, moved, time.perf_counter(), io.delta_time)
    found, held = card.shown, card.held
    card.held = False
    dragging = (any(io.mouse_down) and not held) or state.map.flight is not None
    if found is None or view is None or not state.ui.formulas or dragging:
        return
    if min(view.width, view.height) < theme.em(_LEAST):
        return
    box = _card(state, found, view)
    card.held = _inside(io.mouse_pos, box)
    card.held = formula_links.draw(state, found, view, box) or card.held


def _card(state: State, found: Formula, view: View) -> Box:
    """Draw the card. Returns its edges on the screen."""
    size = _size(state, found, view)
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
    _head(state, found)
    formula_picture.draw(state, found)
    _sum(state, found, 0)
    _foot(state, found)
    if found.inner is not None:
        _inner(state, found.inner)
        _sum(state, found.inner, len(found.terms))
    imgui.dummy(ImVec2(0, 0))
    imgui.end()
    imgui.pop_style_var(3)
    return (left, top, left + size[0], top + size[1])


@dataclass(frozen=True)
class _Lines:
    """The texts of a formula: its equation, the equation with numbers, the names of the columns, and the sum."""

    equation: list[str]
    numbers: list[str]
    edits: list[str]
    foot: str
    factors: tuple[str, str, str] | None
    rows: list[formula_text.Row]

    @property
    def sum_lines(self) -> int:
        """Lines of the sum with the names of its columns."""
        return (self.factors is not None) + len(self.rows)


def _lines(state: State, found: Formula) -> _Lines:
    """The texts of the formula shown, or of its inner one."""

    def made() -> _Lines:
        edits = formula_edits.edits_of(state, found) if found is state.formula.shown else []
        name, numbers = "score " if found.kind == "scores" else "", formula_text.numbers(found)
        return _Lines(
            _wrapped(f"{name}= {formula_text.equation(found)}"),
            _wrapped(f"= {numbers}") if numbers else [],
            [line for text in formula_edits.lines(edits) for line in _wrapped(text)],
            formula_edits.foot(found, edits, context_start(state)),
            formula_text.factors(found),
            formula_text.rows(found, lambda row: _token(state, row)),
        )

    return state.formula.keep(f"lines of {found.kind}", (theme.em(1), state.model), made)


def _size(state: State, found: Formula, view: View) -> tuple[float, float]:
    gap, wide, lines = theme.em(_GAP), theme.em(_WIDTH), _lines(state, found)
    text = 2 + len(lines.equation) + len(lines.numbers) + len(lines.edits) + lines.sum_lines
    if found.inner is not None:
        inner = _lines(state, found.inner)
        text += len(inner.equation) + inner.sum_lines
    high = theme.em(_LINE * text + 1.5) + formula_picture.height(found)
    return min(wide, view.width - 2 * gap), min(high, view.height - 2 * gap)


def _wrapped(text: str) -> list[str]:
    """The text in lines as long as the card is wide. An index is not divided."""
    with theme.numbers():
        most = int(theme.em(_WIDTH - 1.5) / imgui.calc_text_size("0").x)
    text = _INDEX.sub(lambda match: match[0].replace(" ", "\u00a0"), text)
    lines = textwrap.wrap(text, most, subsequent_indent="  ", break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _head(state: State, found: Formula) -> None:
    """The element and its value, the equation, and the equation with numbers."""
    with theme.numbers():
        value = formula_text.number(found.value)
        wide = imgui.get_content_region_avail().x
        start = imgui.get_cursor_pos()
        imgui.text(elided(str(found.element), wide - imgui.calc_text_size(value).x - theme.em(1)))
        imgui.same_line(start.x + wide - imgui.calc_text_size(value).x)
        imgui.text_colored(theme.now.accent, value)
        known = _lines(state, found)
        lines = [(line, theme.now.text) for line in known.equation]
        lines += [(line, theme.now.text_dim) for line in known.numbers]
        lines += [(line, theme.now.edit) for line in known.edits]
        for row, (line, ink) in enumerate(lines, start=1):
            imgui.set_cursor_pos(ImVec2(start.x, start.y + theme.em(_LINE * row)))
            imgui.text_colored(ink, elided(line, wide))
        imgui.set_cursor_pos(ImVec2(start.x, start.y + theme.em(_LINE * (len(lines) + 1))))


def _inner(state: State, found: Formula) -> None:
    """The equation of the scores, between the sum of the card and that of the scores."""
    with theme.numbers():
        start, wide = imgui.get_cursor_pos(), imgui.get_content_region_avail().x
        lines = _lines(state, found).equation
        for row, line in enumerate(lines):
            imgui.set_cursor_pos(ImVec2(start.x, start.y + theme.em(_LINE * row + 0.3)))
            imgui.text_colored(theme.now.text, elided(line, wide))
        imgui.set_cursor_pos(ImVec2(start.x, start.y + theme.em(_LINE * len(lines) + 0.3)))


def _sum(state: State, found: Formula, first: int) -> None:
    """The lines of a sum. first: the number of its first line on the card."""
    known = _lines(state, found)
    lines = known.rows
    _factors(known.factors)
    peak = max((abs(line.value) for line in lines if line.targets and abs(line.value) < math.inf), default=0.0)
    for number, line in enumerate(lines, start=first):
        _row(state, number, line, peak)


def _factors(names: tuple[str, str, str] | None) -> None:
    """The line above the terms: the name of each column."""
    if names is None:
        return
    canvas, start, local = imgui.get_window_draw_list(), imgui.get_cursor_screen_pos(), imgui.get_cursor_pos()
    loaded = imgui.get_io().fonts.fonts
    font, size = loaded[1] if len(loaded) > 1 else loaded[0], theme.em(0.85)
    ink = packed(theme.now.text_dim)
    top = start.y + theme.em(0.25)
    width = (theme.em(_RIGHT) - theme.em(0.3)) / 0.85
    with theme.numbers():
        left, right = elided(names[1], width - theme.em(2.5)), names[2]
        across = imgui.calc_text_size(left).x * 0.85
    canvas.add_text(font, size, ImVec2(start.x + theme.em(0.2), top), ink, names[0])
    canvas.add_text(font, size, ImVec2(start.x + theme.em(_RIGHT) - across - theme.em(0.2), top), ink, left)
    canvas.add_text(font, size, ImVec2(start.x + theme.em(_RIGHT), top), ink, f"\u00d7 {right}")
    imgui.set_cursor_pos(ImVec2(local.x, local.y + theme.em(_LINE)))


def _row(state: State, number: int, line: formula_text.Row, peak: float) -> None:
    """A line of the sum with a bar; a click on a factor goes to it."""
    canvas, start, local = imgui.get_window_draw_list(), imgui.get_cursor_screen_pos(), imgui.get_cursor_pos()
    wide, high = imgui.get_content_region_avail().x, theme.em(_LINE)
    targets, split = dict(line.targets), theme.em(_RIGHT)
    halves = (("left", 0.0, split if "right" in targets else wide), ("right", split, wide - split))
    for side, offset, width in halves:
        if side in targets:
            imgui.set_cursor_pos(ImVec2(local.x + offset, local.y))
            if widget_tracking.invisible_button(f"formula:{number}:{side}", ImVec2(width, high)):
                go(state, targets[side])
            if imgui.is_item_hovered():
                imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
                low = ImVec2(start.x + offset, start.y)
                canvas.add_rect_filled(low, ImVec2(low.x + width, low.y + high), packed(theme.now.accent_dim))
                imgui.set_tooltip(f"Go to {targets[side]}")
    _bar(state, start, wide, high, line.value / peak if peak else 0.0)
    with theme.numbers():
        left, _, right = line.text.partition(" \u00d7 ")
        across = imgui.calc_text_size(left).x
        label = elided(line.label, split - across - theme.em(0.8) if line.text else theme.em(_BAR - 0.5))
        value = formula_text.number(line.value)
        top = start.y + (high - imgui.get_text_line_height()) / 2
        dim, ink = packed(theme.now.text_dim), packed(theme.now.text)
        canvas.add_text(ImVec2(start.x + theme.em(0.2), top), dim, label)
        if line.text:
            canvas.add_text(ImVec2(start.x + split - across - theme.em(0.2), top), ink, left)
            canvas.add_text(ImVec2(start.x + split, top), ink, f"\u00d7 {right}")
        canvas.add_text(ImVec2(start.x + wide - imgui.calc_text_size(value).x - theme.em(0.2), top), ink, value)
    imgui.set_cursor_pos(ImVec2(local.x, local.y + high))


def _bar(state: State, start: ImVec2, wide: float, high: float, share: float) -> None:
    """A bar before the number: to the right for what adds, to the left for what takes away."""
    if share != share:
        return
    half = (wide - theme.em(_BAR + _VALUE)) / 2
    middle = start.x + theme.em(_BAR) + half
    end = middle + half * min(max(share, -1.0), 1.0)
    canvas, ground = imgui.get_window_draw_list(), packed(theme.now.line)
    low, far = ImVec2(min(middle, end), start.y + high * 0.2), ImVec2(max(middle, end), start.y + high * 0.8)
    canvas.add_rect_filled(low, far, packed(formula_picture.color(state, math.copysign(1.0, share))))
    canvas.add_line(ImVec2(middle, start.y), ImVec2(middle, start.y + high), ground)


def _foot(state: State, found: Formula) -> None:
    canvas, start, wide = (
        imgui.get_window_draw_list(),
        imgui.get_cursor_screen_pos(),
        imgui.get_content_region_avail().x,
    )
    canvas.add_line(start, ImVec2(start.x + wide, start.y), packed(theme.now.line))
    with theme.numbers():
        total = formula_text.number(found.total)
        top = start.y + theme.em(_LINE) / 2 - imgui.get_text_line_height() / 2 + 2
        label = _lines(state, found).foot
        canvas.add_text(ImVec2(start.x + theme.em(0.2), top), packed(theme.now.text_dim), label)
        right = start.x + wide - imgui.calc_text_size(total).x - theme.em(0.2)
        canvas.add_text(ImVec2(right, top), packed(theme.now.accent), total)
    local = imgui.get_cursor_pos()
    imgui.set_cursor_pos(ImVec2(local.x, local.y + theme.em(_LINE)))


def _token(state: State, row: int) -> str | None:
    token = context_token(state, row)
    return None if token is None else quoted(token[1])


def _inside(point: ImVec2, box: Box) -> bool:
    return box[0] <= point.x < box[2] and box[1] <= point.y < box[3]
