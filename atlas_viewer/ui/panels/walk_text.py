"""Text with links, wrapped at a width, in imgui: each link is a button over its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.state.walk_control import is_lit, show
from atlas_viewer.state.walk_facts import fact
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.walk.pages import Page, Piece
from atlas_viewer.walk.placeholders import fill
from atlas_viewer.walk.subject import Subject

from .widgets import drawable, packed

_KEPT = "\x1f"  # stands for a space in a token, at which a line does not end
_GAP = 0.4  # between paragraphs, in ems


@dataclass(frozen=True)
class _Fragment:
    """A part of a word: up to a space, or to where a link begins or ends."""

    text: str
    link: int  # index of the link on the page, or -1
    width: float


def paragraphs(state: State, page: Page, width: float) -> None:
    """Draw the text of a page at the cursor. Notes the link under the mouse, and follows one that is clicked."""
    state.walks.hovered = None
    links: list[Subject] = []
    corner = imgui.get_cursor_screen_pos()
    x, y = corner.x, corner.y
    for paragraph in page.paragraphs:
        for line in _lines(state, paragraph, links, width):
            _line(state, line, links, x, y)
            y += imgui.get_text_line_height_with_spacing() - theme.em(0.1)
        y += theme.em(_GAP)
    imgui.set_cursor_screen_pos(ImVec2(x, y))
    imgui.dummy(ImVec2(1, 1))


def _lines(
    state: State, paragraph: Sequence[Piece], links: list[Subject], width: float
) -> list[list[tuple[float, _Fragment]]]:
    """The lines of a paragraph: fragments with their distance from the left edge. Appends its links to `links`."""
    words: list[list[_Fragment]] = [[]]
    for piece in paragraph:
        number = -1
        if piece.target is not None:
            number = len(links)
            links.append(piece.target)
        text = fill(piece.text, lambda name: drawable(fact(state, name)).replace(" ", _KEPT))
        for at, part in enumerate(text.split(" ")):
            if at:
                words.append([])
            if part:
                part = part.replace(_KEPT, " ")
                words[-1].append(_Fragment(part, number, imgui.calc_text_size(part).x))
    space = imgui.calc_text_size(" ").x
    lines: list[list[tuple[float, _Fragment]]] = [[]]
    x = 0.0
    for word in filter(None, words):
        wide = sum(fragment.width for fragment in word)
        if x and x + wide > width:
            lines.append([])
            x = 0.0
        for fragment in word:
            lines[-1].append((x, fragment))
            x += fragment.width
        x += space
    return lines


def _line(state: State, line: list[tuple[float, _Fragment]], links: list[Subject], left: float, top: float) -> None:
    """Draw one line, with a button over each stretch of a link."""
    canvas, high = imgui.get_window_draw_list(), imgui.get_text_line_height()
    for number in dict.fromkeys(fragment.link for _, fragment in line if fragment.link >= 0):
        parts = [(x, fragment) for x, fragment in line if fragment.link == number]
        start, end = parts[0][0], parts[-1][0] + parts[-1][1].width
        low, high_corner = ImVec2(left + start, top), ImVec2(left + end, top + high)
        lit = _link(state, number, links[number], low, ImVec2(end - start, high))
        if lit:
            canvas.add_rect_filled(low, high_corner, packed(theme.now.accent_dim), theme.em(0.15))
        floor = top + high
        canvas.add_line(
            ImVec2(low.x, floor), ImVec2(high_corner.x, floor), packed(theme.now.accent, 1.0 if lit else 0.5)
        )
    for x, fragment in line:
        ink = theme.now.text if fragment.link < 0 else theme.now.accent
        canvas.add_text(ImVec2(left + x, top), packed(ink), fragment.text)


def _link(state: State, number: int, target: Subject, corner: ImVec2, size: ImVec2) -> bool:
    """The button over a link. Returns True when the link is lit."""
    walks = state.walks
    imgui.set_cursor_screen_pos(corner)
    if widget_tracking.invisible_button(f"##walk link {number} {corner.x:.0f} {corner.y:.0f}", size):
        walks.link = number
        show(state, target)
    widget_tracking.track(f"walk link {number}")
    if imgui.is_item_hovered():
        walks.hovered = target
        imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
    return bool(imgui.is_item_hovered() or number == walks.link or is_lit(state, target))
