"""The Compare panel: the choice of B, which side the views show, and how the predictions of A and B differ."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import comparing as ab
from atlas_viewer.state.comparing import Comparing
from atlas_viewer.state.navigation import COMPARE
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import compare_choice, compare_table
from .view_common import progress
from .widgets import beside, dim, elided, hint, packed, quoted, tooltip

NAME = COMPARE

_LINES = 3.0  # lines of the texts before they scroll
_BADGE, _RIGHT = 18.0, 9.0  # ems: the longest title of B in a view, and the space to the right of it


def draw(state: State, services: Services) -> None:
    """Draw the choice, the sides, what was found, the texts and the table."""
    comparing = state.comparing
    compare_choice.draw(state)
    if comparing.choice is None:
        hint(
            "A is the step on screen. Choose what B is: Strip, Map, Attention and Lens then show A, B, or A - B, and"
            " the predictions of both appear here."
        )
        return
    _sides(comparing)
    if comparing.problem:
        imgui.text_colored(theme.now.error, elided(comparing.problem, imgui.get_content_region_avail().x))
        tooltip(comparing.problem)
        return
    if state.busy:
        dim("B follows when the run pauses or ends")
        return
    if comparing.step or comparing.predictions is None:
        progress("comparing ...", comparing.step, comparing.done, imgui.get_content_region_avail().x)
        return
    if comparing.note:
        imgui.text_colored(theme.now.error, elided(comparing.note, imgui.get_content_region_avail().x))
        tooltip(comparing.note)
    _found(state, comparing)
    _texts(comparing)
    compare_table.draw(state, comparing.predictions, services.tokenizer)


def _sides(comparing: Comparing) -> None:
    """Draw a button for each side that the views can show."""
    imgui.align_text_to_frame_padding()
    dim("Views show")
    for side in ab.SIDES:
        imgui.same_line()
        if widget_tracking.radio_button(f"{side}###side {side}", comparing.side == side):
            comparing.side = side
        tooltip(f"{ab.SIDE_TIPS[side]}. Ctrl+J: the next of these")
    if beside(imgui.calc_text_size("hold J: B").x):
        dim("hold J: B")
        tooltip("While J is held down, the views show B")


def _found(state: State, comparing: Comparing) -> None:
    """Draw the divergence, and where the texts part."""
    assert comparing.predictions is not None
    with theme.numbers():
        imgui.text(f"KL(A || B) = {ab.in_nats(comparing.predictions.kl)}")
    tooltip("How far B's prediction of the next token is from A's: 0 when they are the same")
    for text in _facts(state, comparing):
        if beside(imgui.calc_text_size(text).x + theme.em(1)):
            imgui.same_line(0, theme.em(1))
        dim(text)


def _facts(state: State, comparing: Comparing) -> list[str]:
    """Where texts and runs part, in words."""
    facts = [f"B: {comparing.title}"]
    step, first = ab.steps_diverge(state), comparing.first_difference
    if step is not None:
        facts.append(f"first diverging step: {step + 1}")
    elif comparing.choice is not None and comparing.choice.kind == ab.RUN:
        facts.append("both runs have the same tokens")
    if first is None:
        facts.append("the same text")
    elif first == min(len(comparing.texts_a), len(comparing.texts_b)):
        facts.append("one text continues the other")
    else:
        facts.append(f"texts differ from position {first} on")
    return facts


def _texts(comparing: Comparing) -> None:
    """Draw both texts; tokens that differ are marked."""
    if comparing.first_difference is None:
        return
    line = imgui.get_text_line_height_with_spacing()
    if imgui.begin_child("texts", ImVec2(0, min(_LINES, 0.4 * imgui.get_content_region_avail().y / line) * line)):
        _text("A", comparing.texts_a, comparing.texts_b)
        _text("B", comparing.texts_b, comparing.texts_a)
    imgui.end_child()


def _text(letter: str, tokens: Sequence[tuple[int, str]], others: Sequence[tuple[int, str]]) -> None:
    """Draw a line of tokens, from shortly before the first one that differs."""
    canvas = imgui.get_window_draw_list()
    dim(letter)
    first = next((i for i, (a, b) in enumerate(zip(tokens, others, strict=False)) if a[0] != b[0]), 0)
    start = max(first - 8, 0)
    if start:
        imgui.same_line()
        dim("...")
    for index, (token, text) in enumerate(tokens[start:], start):
        differs = index >= len(others) or others[index][0] != token
        imgui.same_line(0, 0.0 if index > start else theme.em(0.5))
        if imgui.get_content_region_avail().x < imgui.calc_text_size(text).x + theme.em(2):
            dim("...")
            return
        if differs:
            corner, size = imgui.get_cursor_screen_pos(), imgui.calc_text_size(text)
            space = imgui.calc_text_size(text[: len(text) - len(text.lstrip())]).x if text.strip() else 0.0
            low, high = ImVec2(corner.x + space, corner.y), ImVec2(corner.x + size.x, corner.y + size.y)
            canvas.add_rect_filled(low, high, packed(theme.now.differs, 0.35), 2.0)
            widget_tracking.mark(f"differs {letter}{index}", low, high)
        imgui.text(text.replace("\n", "\\n"))
        if index < len(others) and differs:
            tooltip(f"position {index}: {letter} has {quoted(text)}, the other has {quoted(others[index][1])}")


def badge(state: State) -> None:
    """Write what the current view shows, when it is not A alone, at the top of the panel's window."""
    comparing = state.comparing
    if comparing.shown == ab.A:
        return
    label = comparing.label
    low, size = imgui.get_window_pos(), imgui.get_window_size()
    line, pad, gap = imgui.get_text_line_height(), theme.em(0.4), theme.em(0.8)
    wide = imgui.calc_text_size(label).x
    about = elided(f"B: {comparing.title}", min(max(0.36 * size.x - wide, theme.em(3)), theme.em(_BADGE)))
    width = wide + gap + imgui.calc_text_size(about).x
    # In the row of the tools, left of what stands at its end.
    corner = ImVec2(low.x + size.x - theme.em(_RIGHT) - width, low.y + imgui.get_frame_height() + 2 * pad)
    back = (ImVec2(corner.x - pad, corner.y - pad / 2), ImVec2(corner.x + width + pad, corner.y + line + pad / 2))
    canvas = imgui.get_window_draw_list()
    canvas.add_rect_filled(*back, packed(theme.now.back_deep, 0.92), 4.0)
    canvas.add_rect(*back, packed(theme.now.differs), 4.0)
    canvas.add_text(corner, packed(theme.now.differs), label)
    canvas.add_text(ImVec2(corner.x + wide + gap, corner.y), packed(theme.now.text), about)
    widget_tracking.mark("compared", *back)
