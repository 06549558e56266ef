"""The text so far: the prompt dim, what the model wrote bright."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from .. import theme
from ..state import State
from .widgets import hint, packed

TITLE = "Output"

_WORD = re.compile(r"\n|[^\s]+[^\S\n]*|[^\S\n]+")
_LINE_GAP = 0.27  # ems


@dataclass(frozen=True)
class Piece:
    """Some text at a place: `x` in pixels from the left, `line` from the top."""

    x: float
    line: int
    text: str
    bright: bool


def draw(state: State) -> None:
    """The text, wrapped; follows its end while that is in sight."""
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
    for piece in pieces:
        y = origin.y + piece.line * line_height
        if top - line_height <= y <= bottom:
            canvas.add_text(ImVec2(origin.x + piece.x, y), bright if piece.bright else faded, piece.text)
    lines = pieces[-1].line + 1 if pieces else 1
    at_end = imgui.get_scroll_y() >= imgui.get_scroll_max_y() - 1
    imgui.dummy(ImVec2(width, lines * line_height))
    if state.busy and at_end:
        imgui.set_scroll_here_y(1.0)


@functools.lru_cache(maxsize=4)
def flow(prompt: str, continuation: str, width: int, font_size: float) -> tuple[Piece, ...]:
    """Wrap prompt and continuation as one text to `width` pixels; words longer than a line are broken.

    font_size: of the current font; it only tells apart what was measured with different ones.
    """
    pieces: list[Piece] = []
    x, line = 0.0, 0
    for text, bright in ((prompt, False), (continuation, True)):
        for word in _WORD.findall(text):
            if word == "\n":
                x, line = 0.0, line + 1
                continue
            if x > 0 and x + _width(word.rstrip()) > width:
                x, line = 0.0, line + 1
            # A panel may be narrower than a character.
            while len(word) > 1 and _width(word.rstrip()) > width:
                count = _fitting(word, width)
                pieces.append(Piece(0.0, line, word[:count], bright))
                word, line = word[count:], line + 1
            pieces.append(Piece(x, line, word, bright))
            x += _width(word)
    return tuple(pieces)


def _width(text: str) -> float:
    return float(imgui.calc_text_size(text).x)


def _fitting(word: str, width: float) -> int:
    """How many characters of `word` fit, at least 1."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(word[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
