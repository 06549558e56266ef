"""The tokens that were written, one chip each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from .. import items, theme
from ..requests import Use
from ..state import State
from .widgets import dim, hint, packed, quoted, tooltip

if TYPE_CHECKING:
    from compute.records import StepRecord

TITLE = "Generated tokens"

_PAD = 6.0
_GAP = 5.0
_BAR = 2.0


def draw(state: State) -> None:
    """A line on the chosen token with `use`, then the chips; a click on one chooses it."""
    run, step = state.run, state.step
    if run is None or step is None:
        hint("One chip for each token that is written. A click shows the logits that it came from.")
        return
    _header(state, step)
    if imgui.begin_child("chips"):
        _chips(state, run.steps, step)
        if state.chosen is None and state.busy:
            imgui.set_scroll_here_y(1.0)
    imgui.end_child()


def _header(state: State, step: StepRecord) -> None:
    if items.small_button("use"):
        state.requests.append(Use(step.index))
    tooltip("Copy the text through the chosen token into the prompt")
    imgui.same_line()
    with theme.numbers():
        imgui.text(f"#{step.index + 1} {quoted(step.text)}")
    label = "follow"
    width = imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x
    imgui.same_line(imgui.get_content_region_avail().x + imgui.get_cursor_pos_x() - width)
    if state.chosen is None:
        dim("newest" if state.busy else "last")
    elif items.small_button(label):
        state.chosen = None
    if state.chosen is not None:
        tooltip("Show the newest token again")


def _chips(state: State, steps: Sequence[StepRecord], chosen: StepRecord) -> None:
    right = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
    height = imgui.get_text_line_height() + 2 * 3 + _BAR
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(_GAP, _GAP))
    with theme.numbers():
        for place, step in enumerate(steps):
            number, text = str(step.index + 1), quoted(step.text)
            number_width = imgui.calc_text_size(number).x
            width = number_width + imgui.calc_text_size(text).x + 5 + 2 * _PAD
            if place:
                imgui.same_line()
                if imgui.get_cursor_screen_pos().x + width > right:
                    imgui.new_line()
            corner = imgui.get_cursor_screen_pos()
            if items.invisible_button(f"chip{step.index}", ImVec2(width, height)):
                state.chosen = step.index
            if imgui.is_item_visible():
                _paint(corner, width, height, number, number_width, text, step, step.index == chosen.index)
                _tip(step)
    imgui.pop_style_var()


def _paint(
    corner: ImVec2,
    width: float,
    height: float,
    number: str,
    number_width: float,
    text: str,
    step: StepRecord,
    chosen: bool,
) -> None:
    canvas = imgui.get_window_draw_list()
    end = ImVec2(corner.x + width, corner.y + height)
    back = theme.now.accent_dim if chosen else theme.now.raised_hover if imgui.is_item_hovered() else theme.now.raised
    canvas.add_rect_filled(corner, end, packed(back), 3.0)
    if chosen:
        canvas.add_rect(corner, end, packed(theme.now.accent), 3.0)
    # The bar is the model's own belief in the token that was taken.
    belief = min(max(step.model_probability, 0.0), 1.0) if step.model_probability == step.model_probability else 0.0
    left, floor = corner.x + 3, end.y - 2
    canvas.add_rect_filled(
        ImVec2(left, floor - _BAR), ImVec2(left + (width - 6) * belief, floor), packed(theme.now.accent), 1.0
    )
    y = corner.y + 3
    canvas.add_text(ImVec2(corner.x + _PAD, y), packed(theme.now.text if chosen else theme.now.text_dim), number)
    canvas.add_text(ImVec2(corner.x + _PAD + number_width + 5, y), packed(theme.now.text), text)


def _tip(step: StepRecord) -> None:
    tooltip(
        f"token {step.token}\nraw logit {step.logit:.4f}\nprobability {100 * step.probability:.3f} %\n"
        f"model probability {100 * step.model_probability:.3f} %, rank {step.rank}"
    )
