"""The text of the Attention panel: the token in view above, the context below, and lines as wide as the weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.attention_view import AttentionView, strongest
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_start
from atlas_viewer.ui import theme, widget_tracking

from .attention_letters import SMALL, small_elided, small_text, small_width
from .widgets import packed

# In ems.
_PADDING, _GAP, _CHIP, _VALUE, _LINES = 0.25, 0.2, 1.2, 1.0, 1.5
_MORE = 3.0  # for lines, when the text is short
_WIDEST_CHIP = 8.0
_THICKEST = 0.7  # the line of weight 1
_ELLIPSIS = -1  # stands for tokens that are left out


@dataclass(frozen=True)
class TokenBox:
    """A token of the text, or an ellipsis, at (x, y) from the corner of the text."""

    index: int
    text: str
    x: float
    y: float
    width: float


def draw(state: State, corner: ImVec2, size: ImVec2, texts: tuple[str, ...]) -> None:
    """Draw the text with at most ten lines. corner, size: of the available space; texts: of the tokens."""
    view = state.attention
    line, query = view.current_line, view.shown_query
    at = view.key if view.reads_key and view.key is not None else query
    weights = None if line is None else line.key_weights if view.reads_key else line.query_weights
    linked = [] if weights is None else strongest(weights)
    heading = "is attended to by" if view.reads_key else "attends to"
    if at >= len(texts):
        return
    inset = theme.em(0.3)
    corner, size = ImVec2(corner.x + inset, corner.y), ImVec2(size.x - 2 * inset, size.y)
    chip, top = theme.em(_CHIP), theme.em(0.35)
    below = top + chip + theme.em(_LINES)
    shares = dict(linked)
    written = shares | _pointed(view, weights)
    boxes = _fitted(texts, [*written, at], size.x, size.y - below)
    spare = size.y - below - theme.em(_CHIP + _VALUE) - max((box.y for box in boxes), default=0.0)
    below += min(max(spare, 0.0), theme.em(_MORE))
    mine = next((box for box in boxes if box.index == at), None)
    name = small_elided(texts[at], theme.em(_WIDEST_CHIP))
    wide = small_width(name) + 2 * theme.em(_PADDING)
    x = min(max(0.0, mine.x + mine.width / 2 - wide / 2 if mine else 0.0), size.x - wide)
    source = ImVec2(corner.x + x + wide / 2, corner.y + top + chip)
    _chip(ImVec2(corner.x + x, corner.y + top), wide, name, strong=True)
    _beside(view, corner, x, wide, (name, heading), size.x, weights, linked)
    whole = len(boxes) == len(texts)  # otherwise other tokens would come under the mouse
    for box in boxes:  # lines first, so that they are behind the chips
        if box.index in shares:
            _line(source, ImVec2(corner.x + box.x + box.width / 2, corner.y + below + box.y), abs(shares[box.index]))
    for box in boxes:
        low = ImVec2(corner.x + box.x, corner.y + below + box.y)
        if box.index == _ELLIPSIS:
            small_text(low, theme.now.text_dim, box.text)
            continue
        if whole:
            _mouse(state, box, low)
        later = box.index < at if view.reads_key else box.index > at
        _chip(low, box.width, box.text, strong=box.index in (view.key, at), faint=later)
        if box.index in written:
            value = f"{written[box.index]:.4f}"
            middle = low.x + (box.width - small_width(value)) / 2
            small_text(ImVec2(middle, low.y + chip), theme.now.text, value)


def _mouse(state: State, box: TokenBox, low: ImVec2) -> None:
    """Highlight the token under the mouse; a click selects it."""
    imgui.set_cursor_screen_pos(low)
    clicked = widget_tracking.invisible_button(f"attention token {box.index}", ImVec2(box.width, theme.em(_CHIP)))
    if not imgui.is_item_hovered():
        return
    view, token = state.attention, selecting.of_token(state, context_start(state) + box.index)
    state.hovered = replace(token, layer=view.layer, head=view.head)
    if clicked:
        state.selected = state.hovered


def _pointed(view: AttentionView, weights: np.ndarray | None) -> dict[int, float]:
    """The key under the mouse and its weight, however small; nothing when a key alone is in view."""
    if weights is None or view.key is None or view.reads_key or view.key >= len(weights):
        return {}
    return {view.key: float(weights[view.key])}


def _beside(
    view: AttentionView, corner: ImVec2, x: float, wide: float, words: tuple[str, str], width: float,
    weights: np.ndarray | None, linked: list[tuple[int, float]],
) -> None:  # fmt: skip
    """Write beside the token in view what the lines are, and how much the others add up to."""
    name, heading = words
    text = f"{heading}, in layer {view.layer}, head {view.head}"
    if weights is None:
        text += " ..."
    else:
        left = float(weights.sum()) - sum(weight for _, weight in linked)
        others = int((weights > 0).sum()) - len(linked)
        if others > 0:
            text += f"; {others} others add up to {max(left, 0.0):.4f}"
    high = corner.y + theme.em(0.35) + theme.em(_CHIP - SMALL) / 2
    start = x + wide + theme.em(0.5)
    if start + small_width(text) > width:  # it goes before the token, and names it
        text = f"{name} {text}"
        start = x - theme.em(0.5) - small_width(text)
    small_text(ImVec2(corner.x + max(start, 0.0), high), theme.now.text_dim, text)


def _fitted(texts: tuple[str, ...], linked: list[int], width: float, height: float) -> list[TokenBox]:
    """All tokens wrapped to `width`, or, when they do not fit, those in `linked` with ellipses between."""
    boxes = _flow(range(len(texts)), texts, width)
    line = theme.em(_CHIP + _VALUE)
    if not boxes or boxes[-1].y + line <= height:
        return boxes
    indices: list[int] = []
    for index in sorted(set(linked)):
        if index != (indices[-1] + 1 if indices else 0):
            indices.append(_ELLIPSIS)
        indices.append(index)
    if linked and max(linked) != len(texts) - 1:
        indices.append(_ELLIPSIS)
    boxes = _flow(indices, texts, width)
    return [box for box in boxes if box.y + line <= height + theme.em(0.3)]


def _flow(indices: range | list[int], texts: tuple[str, ...], width: float) -> list[TokenBox]:
    """The tokens one after another, in lines."""
    boxes: list[TokenBox] = []
    x = y = 0.0
    padding, gap, least = 2 * theme.em(_PADDING), theme.em(_GAP), small_width("0.0000 ")
    for index in indices:
        text = "..." if index == _ELLIPSIS else small_elided(texts[index], theme.em(_WIDEST_CHIP))
        wide = small_width(text) + padding
        if index != _ELLIPSIS:
            wide = max(wide, least)
        if x and x + wide > width:
            x, y = 0.0, y + theme.em(_CHIP + _VALUE)
        boxes.append(TokenBox(index, text, x, y, wide))
        x += wide + gap
    return boxes


def _chip(low: ImVec2, width: float, text: str, *, strong: bool = False, faint: bool = False) -> None:
    canvas = imgui.get_window_draw_list()
    high = ImVec2(low.x + width, low.y + theme.em(_CHIP))
    if not faint:
        canvas.add_rect_filled(low, high, packed(theme.now.raised), 3.0)
    if strong:
        canvas.add_rect_filled(low, high, packed(theme.now.accent_dim), 3.0)
        canvas.add_rect(low, high, packed(theme.now.accent), 3.0)
    x = low.x + (width - small_width(text)) / 2
    small_text(ImVec2(x, low.y + theme.em(_CHIP - SMALL) / 2), theme.now.text_dim if faint else theme.now.text, text)


def _line(start: ImVec2, end: ImVec2, weight: float) -> None:
    bend = 0.5 * (end.y - start.y)
    imgui.get_window_draw_list().add_bezier_cubic(
        start, ImVec2(start.x, start.y + bend), ImVec2(end.x, end.y - bend), end,
        packed(theme.now.accent, 0.35 + 0.6 * weight), max(1.0, theme.em(_THICKEST) * weight),
    )  # fmt: skip
