"""The text so far, with a dim prompt and a bright continuation."""

from __future__ import annotations

import bisect
import functools
import operator
import re
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme

from . import text_marks
from .widgets import hint, packed

NAME = "Output"

_WORD = re.compile(r"\n|[^\s]+[^\S\n]*|[^\S\n]+")
_LINE_GAP = 0.27  # ems
_line = operator.attrgetter("line")


@dataclass(frozen=True)
class Piece:
    """A piece of text: `x` in pixels from the left, `line` counted from the top, `start` its first character."""

    x: float
    line: int
    text: str
    bright: bool
    start: int

    @property
    def stop(self) -> int:
        """The character after its last."""
        return self.start + len(self.text)


def draw(state: State) -> None:
    """Draw the wrapped text with the selected tokens marked, and keep its end in view unless it was scrolled away."""
    run = state.run
    if run is None:
        hint("The continuation appears here, token by token.")
        return
    width = imgui.get_content_region_avail().x
    pieces = flow(run.prompt, run.continuation, round(width), imgui.get_font_size())
    line_height = imgui.get_text_line_height() + theme.em(_LINE_GAP)
    origin = imgui.get_cursor_screen_pos()
    top, bottom = imgui.get_window_pos().y, imgui.get_window_pos().y + imgui.get_window_size().y
    bright, faded = packed(theme.now.text), packed(theme.now.text_dim)
    canvas = imgui.get_window_draw_list()
    first = bisect.bisect_left(pieces, (top - origin.y) / line_height - 1, key=_line)
    shown = pieces[first : bisect.bisect_right(pieces, (bottom - origin.y) / line_height, key=_line)]
    mouse = imgui.get_mouse_pos()
    if imgui.is_window_hovered():
        text_marks.hover(state, run, shown, (mouse.x - origin.x, (mouse.y - origin.y) // line_height))
    text_marks.draw(state, run, shown, origin, line_height)
    for piece in shown:
        corner = ImVec2(origin.x + piece.x, origin.y + piece.line * line_height)
        canvas.add_text(corner, bright if piece.bright else faded, piece.text.rstrip())
    lines = pieces[-1].line + 1 if pieces else 1
    at_end = imgui.get_scroll_y() >= imgui.get_scroll_max_y() - 1
    imgui.dummy(ImVec2(width, lines * line_height))
    if state.busy and at_end:
        imgui.set_scroll_here_y(1.0)


@functools.lru_cache(maxsize=4)
def flow(prompt: str, continuation: str, width: int, font_size: float) -> tuple[Piece, ...]:
    """Wrap the prompt and the continuation as one text to `width` pixels; words longer than a line are broken.

    font_size: that of the current font; part of the cache key.
    """
    before = _laid(prompt, False, 0, 0.0, 0, width, font_size)
    return before.pieces + _laid(continuation, True, len(prompt), before.x, before.line, width, font_size).pieces


@dataclass(frozen=True)
class _Laid:
    """The pieces of a text, and the position after them."""

    pieces: tuple[Piece, ...]
    x: float
    line: int


@functools.lru_cache(maxsize=4)  # the prompt stays the same while the continuation grows
def _laid(text: str, bright: bool, first: int, x: float, line: int, width: int, font_size: float) -> _Laid:
    """Pieces of `text`, which begins with character `first` of the whole text at x pixels in a line."""
    pieces: list[Piece] = []
    measure = functools.cache(_width)  # most words repeat
    for match in _WORD.finditer(text):
        word, at = match[0], first + match.start()
        if word == "\n":
            x, line = 0.0, line + 1
            continue
        solid = len(word.rstrip())
        wide = measure(word[:solid])
        if x > 0 and x + wide > width:
            x, line = 0.0, line + 1
        start = 0
        # A panel may be narrower than a character.
        while wide > width and (count := _fitting(word, start, width)) < solid - start:
            pieces.append(Piece(0.0, line, word[start : start + count], bright, at + start))
            start, line = start + count, line + 1
        rest = word[start:]
        pieces.append(Piece(x, line, rest, bright, at + start))
        x += measure(rest)
    return _Laid(tuple(pieces), x, line)


def _width(text: str) -> float:
    return float(imgui.calc_text_size(text).x)


def _fitting(word: str, start: int, width: int) -> int:
    """Number of characters of `word` from `start` on that fit, at least 1. Measures at most about two lines of text."""
    low, high, left = 1, 16, len(word) - start
    while high < left and _width(word[start : start + high]) <= width:
        low, high = high, 2 * high
    high = min(high, left)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(word[start : start + middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
