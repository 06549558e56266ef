"""The tokens of the prompt as flowing text, each on a background in its own color."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import PromptTokens, State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import elided, packed, quoted

_PAD = 0.15  # left and right of a token's text, in ems
_GAP = 1.0  # between tokens, in pixels
_GOLDEN = 0.6180339887  # turns of hue from one token id to the next, so that neighboring ids get distinct colors
_UNSEEN = 0.3  # opacity of tokens outside the context


@dataclass(frozen=True)
class Flow:
    """Positions of tokens.

    ends: right edge of each token if all were on one line, in pixels; starts: index of the first token of each line.
    """

    ends: list[float]
    starts: list[int]

    def span(self, index: int) -> tuple[float, float]:
        """Left and right edge of a token on its line, in pixels."""
        before = self.ends[index - 1] if index else 0.0
        first = self.starts[bisect_right(self.starts, index) - 1]
        begin = self.ends[first - 1] if first else 0.0
        return before - begin, self.ends[index] - begin - _GAP

    def line(self, number: int) -> range:
        """The tokens of a line."""
        following = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.ends)
        return range(self.starts[number], following)

    def at(self, x: float, line: int) -> int | None:
        """The token at `x` pixels of a line, if any."""
        if not 0 <= line < len(self.starts) or x < 0:
            return None
        first = self.starts[line]
        index = bisect_left(self.ends, (self.ends[first - 1] if first else 0.0) + x, first)
        return index if index in self.line(line) else None


def marked(text: str) -> str:
    """A token on one line: a pilcrow for each line end, invisible characters escaped."""
    parts = (quoted(part)[1:-1] for part in text.split("\n"))
    return "¶".join(part.replace('\\"', '"').replace("\\\\", "\\") for part in parts)


@functools.lru_cache(maxsize=2)
def flow(tokens: PromptTokens, width: float, font_size: float) -> Flow:
    """Break the tokens into lines of `width` pixels, in the current font; a line end in a token ends the line.

    font_size: of the current font; part of the cache key.
    """
    pad = 2 * _PAD * font_size + _GAP
    texts = dict(tokens.tokens)
    widths = {number: min(imgui.calc_text_size(marked(text)).x + pad, width) for number, text in texts.items()}
    ending = [number for number, text in texts.items() if "\n" in text]
    # NumPy, because a prompt may have a million tokens and as many lines.
    known = np.array(sorted(widths), np.int64)
    numbers = np.fromiter((number for number, _ in tokens.tokens), np.int64, len(tokens.tokens))
    ends = np.cumsum(np.array([widths[number] for number in known.tolist()])[np.searchsorted(known, numbers)])
    breaks = np.flatnonzero(np.isin(numbers, ending)) + 1
    return Flow(ends.tolist(), _starts(ends, breaks, width + 1e-3))


def _starts(ends: np.ndarray, breaks: np.ndarray, width: float) -> list[int]:
    """The first token of each line. ends: see `Flow`; breaks: tokens that always start a line."""
    firsts = np.concatenate(([0], breaks[breaks < len(ends)]))
    lasts = np.append(firsts[1:], len(ends))
    edges = np.concatenate(([0.0], ends))
    more: list[int] = []
    long = edges[lasts] - edges[firsts] > width
    for first, last in zip(firsts[long].tolist(), lasts[long].tolist(), strict=True):
        at = first
        while (at := max(int(np.searchsorted(ends, edges[at] + width, "right")), at + 1)) < last:
            more.append(at)
    starts: list[int] = np.sort(np.concatenate((firsts, np.array(more, firsts.dtype)))).tolist()
    return starts


@functools.cache
def color(number: int, light: bool) -> ImVec4:
    """A token's background, fixed for its id; the theme's text is legible on it."""
    saturation, value = (0.24, 0.94) if light else (0.58, 0.40)
    return ImVec4(*imgui.color_convert_hsv_to_rgb(number * _GOLDEN % 1.0, saturation, value), 1.0)


def pitch() -> float:
    """Height of a line of tokens, in pixels."""
    return float(imgui.get_font_size()) + 2.0


def draw(state: State, height: float) -> None:
    """Draw a scrolling field, `height` pixels high. Tokens before the context are faint: no pass sees them."""
    with theme.numbers():
        if imgui.begin_child("prompt tokens", ImVec2(0, height)):
            _field(state, state.prompt_tokens, len(state.prompt_tokens.tokens) - state.options.context)
        imgui.end_child()


def _selects(state: State, tokens: PromptTokens, index: int) -> Selection:
    """The selection of a token: of its position, too, if the text on screen begins with this prompt."""
    if state.run is not None and state.run.prompt == tokens.text:
        return selecting.of_token(state, index)
    return Selection(token=tokens.tokens[index][0])


def _field(state: State, tokens: PromptTokens, first_seen: int) -> None:
    # Space for the scroll bar is kept free, so that its appearance does not change the line breaks.
    width = imgui.get_window_size().x - imgui.get_style().scrollbar_size
    shown = flow(tokens, max(width, theme.em(1)), imgui.get_font_size())
    if not tokens.tokens:
        return
    high = pitch()
    at_end = imgui.get_scroll_y() >= imgui.get_scroll_max_y() - 1
    origin = imgui.get_cursor_screen_pos()
    top = imgui.get_scroll_y()
    imgui.dummy(ImVec2(width, len(shown.starts) * high))
    if at_end:
        imgui.set_scroll_here_y(1.0)  # keeps the text being typed in view
    own = state.run is not None and state.run.prompt == tokens.text
    lines = range(int(top // high), min(int((top + imgui.get_window_size().y) // high) + 1, len(shown.starts)))
    for line in lines:
        for index in shown.line(line):
            left, right = shown.span(index)
            corner = ImVec2(origin.x + left, origin.y + line * high)
            end = ImVec2(origin.x + right, corner.y + high - 1)
            _paint(tokens.tokens[index], corner, end, 1.0 if index >= first_seen else _UNSEEN)
            # A token of another text than the one on screen has no position in it.
            position = index if own else -1
            strength = selecting.strength(state, position, tokens.tokens[index][0])
            if strength:
                outline = max(1.0, theme.em(theme.OUTLINE))
                imgui.get_window_draw_list().add_rect(corner, end, packed(theme.now.mark, strength), 2.0, outline)
                widget_tracking.mark(f"token{index}", corner, end)
            widget_tracking.rects[f"token{index}"] = widget_tracking.WidgetRect(corner.x, corner.y, end.x, end.y)
    if imgui.is_window_hovered():
        mouse = imgui.get_mouse_pos()
        pointed = shown.at(mouse.x - origin.x, int((mouse.y - origin.y) // high))
        if pointed is not None:
            state.hovered = _selects(state, tokens, pointed)
            if imgui.is_mouse_clicked(imgui.MouseButton_.left):
                state.selected = state.hovered
            _tip(tokens.tokens[pointed], pointed, pointed >= first_seen)


def _paint(token: tuple[int, str], corner: ImVec2, end: ImVec2, alpha: float) -> None:
    number, text = token
    canvas = imgui.get_window_draw_list()
    back = theme.now.back
    canvas.add_rect_filled(corner, end, packed(color(number, back.x + back.y + back.z > 1.5), alpha), 2.0)
    pad = _PAD * imgui.get_font_size()
    fitting = elided(marked(text), end.x - corner.x - 2 * pad + 1)
    canvas.add_text(ImVec2(corner.x + pad, corner.y), packed(theme.now.text, max(alpha, 0.65)), fitting)


def _tip(token: tuple[int, str], index: int, seen: bool) -> None:
    number, text = token
    imgui.set_tooltip(f"{quoted(text)}\ntoken {number}, position {index}" + ("" if seen else "\noutside the context"))
