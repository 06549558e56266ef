"""The selected tokens in the text of the Output panel, and the token under the mouse."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import TextSpans, token_at
from atlas_viewer.ui import theme, widget_tracking

from .widgets import packed

if TYPE_CHECKING:
    from .output import Piece

_spans = TextSpans()
_stop = operator.attrgetter("stop")


def hover(state: State, run: Run, pieces: Sequence[Piece], point: tuple[float, float]) -> None:
    """Note the token under the mouse as hovered; a click selects it. point: pixels from the left, and the line."""
    _spans.follow(run)
    character = _character(pieces, *point)
    position = None if character is None else _spans.at(character)
    if position is None:
        if imgui.is_mouse_clicked(imgui.MouseButton_.left):
            selecting.clear(state)
        return
    state.hovered = selecting.of_token(state, position)
    if imgui.is_mouse_clicked(imgui.MouseButton_.left):
        state.selected = state.hovered


def draw(state: State, run: Run, pieces: Sequence[Piece], origin: ImVec2, line_height: float) -> None:
    """Mark tokens in `pieces`, which are in the order of the text, before it is written.

    Selected ones are filled and outlined, those that differ in a comparison underlined.
    """
    if not pieces or not (state.highlight or state.attribution.marks or state.comparing.ready):
        return
    _spans.follow(run)
    canvas, ink = imgui.get_window_draw_list(), theme.now.mark
    start, end = pieces[0].start, pieces[-1].stop
    if state.comparing.ready:
        for position, span, _ in _marked(state, start, end, _differs):
            for low, high in _boxes(pieces, span, origin, line_height):
                canvas.add_rect_filled(low, high, packed(theme.now.differs, 0.28), 2.0)
                canvas.add_line(ImVec2(low.x, high.y), high, packed(theme.now.differs), max(1.5, theme.em(0.1)))
                widget_tracking.mark(f"differs text{position}", low, high)
    for position, span, strength in _marked(state, start, end, selecting.strength):
        for low, high in _boxes(pieces, span, origin, line_height):
            canvas.add_rect_filled(low, high, packed(ink, 0.25 * strength), 2.0)
            canvas.add_rect(low, high, packed(ink, strength), 2.0, max(1.0, theme.em(theme.OUTLINE) / 2))
            widget_tracking.mark(f"text{position}", low, high)


def _boxes(
    pieces: Sequence[Piece], span: tuple[int, int], origin: ImVec2, line_height: float
) -> Iterator[tuple[ImVec2, ImVec2]]:
    """The corners of these characters in each line that they are on."""
    for piece in pieces[bisect.bisect_right(pieces, span[0], key=_stop) :]:
        if piece.start >= span[1]:
            return
        first, stop = max(span[0] - piece.start, 0), min(span[1] - piece.start, len(piece.text))
        left = origin.x + piece.x + imgui.calc_text_size(piece.text[:first]).x
        right = left + max(imgui.calc_text_size(piece.text[first:stop]).x, 2.0)
        low = ImVec2(left, origin.y + piece.line * line_height)
        yield low, ImVec2(right, low.y + imgui.get_text_line_height())


def _differs(state: State, position: int, token: int) -> float:
    """1 for a token in whose place B has another one, otherwise 0."""
    return float(state.comparing.other_token(position, token) is not None)


def _marked(
    state: State, start: int, stop: int, strength_of: Callable[[State, int, int], float]
) -> Iterator[tuple[int, tuple[int, int], float]]:
    """Position, characters and strength, 0 to 1, of each token to mark between two characters of the text."""
    first = _spans.at(start) or 0
    for position in range(first, len(_spans)):
        span = _spans[position]
        if span[0] >= stop:
            return
        token = token_at(state, position)
        strength = strength_of(state, position, token[0]) if token is not None else 0.0
        if token is not None and strength:
            # The space before a word is not marked: it may be at the end of another line.
            spaces = len(token[1]) - len(token[1].lstrip()) if token[1].strip() else 0
            yield position, (min(span[0] + spaces, span[1]), span[1]), strength


def _character(pieces: Sequence[Piece], x: float, line: float) -> int | None:
    """The character of the text at x pixels in a line; None where there is none."""
    for piece in pieces:
        if piece.line == line and piece.x <= x < piece.x + imgui.calc_text_size(piece.text).x:
            ends = range(1, len(piece.text) + 1)
            inside = bisect.bisect_right(ends, x - piece.x, key=lambda end: imgui.calc_text_size(piece.text[:end]).x)
            return piece.start + inside
    return None
