"""The generated tokens, one chip each, and the buttons that control the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.lens_view import short_name
from atlas_viewer.state.options_text import changes_in_words
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.requests import Continue, Pause, Stop, Undo, Use
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import CHIP_COLORS, KNOWN_AT
from atlas_viewer.ui import theme, widget_tracking

from .token_chips import ChipFlow
from .widgets import dim, hint, packed, quoted, tooltip

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord

NAME = "Generated tokens"

_GAP = 5.0
_BAR = 2.0
_BITS = 8.0  # bits of surprise, rank or entropy for the strongest color
_HOT = ImVec4(0.96, 0.56, 0.12, 1.0)
_MARK = ImVec4(0.75, 0.45, 1.0, 1.0)
_TIPS = {
    "plain": "No coloring",
    "probability": "Stronger color: lower model probability",
    "rank": "Stronger color: the model ranked more tokens above this one",
    "entropy": "Stronger color: higher entropy, the model was less certain",
    KNOWN_AT: "Stronger color: a later block made this token the likeliest one; see Lens",
}
_LISTED = 8  # candidates in the tooltip

_flow = ChipFlow()


def draw(state: State) -> None:
    """Draw buttons, a line about the chosen token, then the chips; clicking a chip chooses its token."""
    run, step = state.run, state.step
    if run is None:
        hint("One chip for each generated token. Click a chip to see the logits it was chosen from.")
        return
    _buttons(state, run)
    if step is None:
        return
    _header(state, step)
    if imgui.begin_child("chips"):
        _chips(state, run, step)
        if state.chosen is None and _flow.following:
            imgui.set_scroll_y(imgui.get_scroll_max_y())
            _flow.following -= 1
    imgui.end_child()


def _buttons(state: State, run: Run) -> None:
    gap = imgui.get_style().item_spacing.x / 2
    possible = state.busy or run.paused
    # While a recording is on screen, the Recording panel has a Play button, too; tours distinguish them by their ids.
    play = "Play###Write on##play" if state.recording.playback else "Play###Play##play"
    tip = "Pause the run  Space" if state.busy else "Play: continue the run  Space"
    if _button("Pause###Pause##play" if state.busy else play, tip, possible):
        state.requests.append(Pause() if state.busy else Continue())
    imgui.same_line(0, gap)
    if _button("Step###Step##step", "Step: generate one token  .", run.paused and not state.busy):
        state.requests.append(Continue(1))
    imgui.same_line(0, gap)
    if _button("Undo###Undo##undo", "Undo: remove the last token  Backspace", bool(run.steps)):
        state.requests.append(Undo())
    imgui.same_line(0, gap)
    if _button("Stop###Stop##stop", "Stop the run  Ctrl+.", state.busy):
        state.requests.append(Stop())
    imgui.same_line()
    ui = state.ui
    imgui.set_next_item_width(-1)
    if widget_tracking.begin_combo("##chip_colour", ui.chip_color):
        for name in CHIP_COLORS:
            clicked, _ = widget_tracking.selectable(f"{name}##chip_colour", name == ui.chip_color)
            tooltip(_TIPS[name])
            if clicked:
                ui.chip_color = name
        imgui.end_combo()
    else:
        tooltip(_TIPS[ui.chip_color])


def _button(label: str, tip: str, possible: bool) -> bool:
    imgui.begin_disabled(not possible)
    clicked = bool(widget_tracking.small_button(label))
    imgui.end_disabled()
    tooltip(tip)
    return clicked


def _header(state: State, step: StepRecord) -> None:
    if widget_tracking.small_button("Use###use"):
        state.requests.append(Use(step.index))
    tooltip("Copy the text up to the chosen token into the prompt")
    imgui.same_line()
    with theme.numbers():
        imgui.text(f"#{step.index + 1} {quoted(step.text)}")
    label = "Follow"
    width = imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x
    imgui.same_line(imgui.get_content_region_avail().x + imgui.get_cursor_pos_x() - width)
    if state.chosen is None:
        dim("newest" if state.busy else "last")
    elif widget_tracking.small_button(f"{label}###follow"):
        state.chosen = None
    if state.chosen is not None:
        tooltip("Show the newest token again")


def _chips(state: State, run: Run, chosen: StepRecord) -> None:
    with theme.numbers():
        pad = 0.4 * imgui.get_font_size()
        between = 0.33 * imgui.get_font_size()
        height = chip_height()

        def width_of(step: StepRecord) -> float:
            return _width(step, pad, between)

        available = imgui.get_content_region_avail().x
        _flow.lay_out(run.steps, imgui.get_font_size(), available, _GAP, width_of)
        origin, line = imgui.get_cursor_screen_pos(), height + _GAP
        first = int(imgui.get_scroll_y() / line)
        seen = int(imgui.get_window_size().y / line) + 1
        for index in _flow.between(first, first + seen):
            chip, step = _flow.chips[index], run.steps[index]
            corner = ImVec2(origin.x + chip.x, origin.y + chip.line * line)
            _chip(state, run, step, corner, ImVec2(chip.width, height), step.index == chosen.index)
        imgui.set_cursor_screen_pos(origin)
        imgui.dummy(ImVec2(available, max(_flow.lines * line - _GAP, 1.0)))


def chip_height() -> float:
    """Height of a chip, in pixels."""
    return float(imgui.get_text_line_height() + 2 * 3 + _BAR)


def latest(state: State, run: Run) -> None:
    """Draw one line of chips that ends with the chosen token, or with the newest one."""
    chosen = state.step
    last = chosen.index if chosen is not None else len(run.steps) - 1
    with theme.numbers():
        pad, between = 0.4 * imgui.get_font_size(), 0.33 * imgui.get_font_size()
        left = imgui.get_content_region_avail().x
        chips: list[tuple[StepRecord, float]] = []
        for step in reversed(run.steps[: last + 1]):
            wide = _width(step, pad, between)
            if wide > left:
                break
            chips.append((step, wide))
            left -= wide + _GAP
        origin, x = imgui.get_cursor_screen_pos(), 0.0
        for step, wide in reversed(chips):
            size = ImVec2(wide, chip_height())
            _chip(state, run, step, ImVec2(origin.x + x, origin.y), size, step.index == last)
            x += wide + _GAP
        imgui.set_cursor_screen_pos(origin)
        imgui.dummy(ImVec2(max(x, 1.0), chip_height()))


def _width(step: StepRecord, pad: float, between: float) -> float:
    text = imgui.calc_text_size(str(step.index + 1)).x + imgui.calc_text_size(quoted(step.text)).x
    return float(text + between + 2 * pad)


def _chip(state: State, run: Run, step: StepRecord, corner: ImVec2, size: ImVec2, chosen: bool) -> None:
    """Draw one chip; a click chooses its token."""
    imgui.set_cursor_screen_pos(corner)
    if widget_tracking.invisible_button(f"chip{step.index}", size, widget_tracking.PRESS_AT_ONCE):
        state.chosen = step.index
        state.selected = selecting.of_token(state, len(run.prompt_tokens) + step.index)
    pad, between = 0.4 * imgui.get_font_size(), 0.33 * imgui.get_font_size()
    _paint(state, run, corner, size, pad, between, step, chosen)
    if imgui.is_item_hovered(imgui.HoveredFlags_.no_nav_override):
        state.hovered = selecting.of_token(state, len(run.prompt_tokens) + step.index)
        _tip(state, run, step)


def strength_on(state: State, run: Run, step: StepRecord) -> float:
    """Strength of a chip's color in the present coloring."""
    if state.ui.chip_color != KNOWN_AT:
        return strength(step, state.ui.chip_color)
    known = state.lens.known_at(len(run.prompt_tokens) + step.index, step.token)
    return 0.0 if known is None else known / max(len(state.lens.points) - 1, 1)


def strength(step: StepRecord, color: str) -> float:
    """Strength of a chip's color, 0 to 1; 0 where the value is unknown."""
    if color == "probability":
        probability = step.model_probability
        bits = probability if math.isnan(probability) else -math.log2(max(probability, 2.0**-_BITS))
    elif color == "rank":
        bits = math.log2(step.rank) if step.rank > 0 else 0.0
    elif color == "entropy":
        bits = step.entropy / math.log(2)
    else:
        return 0.0
    return min(max(bits / _BITS, 0.0), 1.0) if math.isfinite(bits) else 0.0


def _paint(
    state: State, run: Run, corner: ImVec2, size: ImVec2, pad: float, between: float, step: StepRecord, chosen: bool
) -> None:
    canvas = imgui.get_window_draw_list()
    end = ImVec2(corner.x + size.x, corner.y + size.y)
    back = theme.now.raised_hover if imgui.is_item_hovered() else theme.now.raised
    canvas.add_rect_filled(corner, end, packed(back), 3.0)
    heat = strength_on(state, run, step)
    if heat > 0:
        canvas.add_rect_filled(corner, end, packed(_HOT, 0.55 * heat), 3.0)
    if chosen:
        canvas.add_rect_filled(corner, end, packed(theme.now.accent_dim), 3.0)
        canvas.add_rect(corner, end, packed(theme.now.accent), 3.0)
    # The bar is the model probability of the token.
    probability = (
        min(max(step.model_probability, 0.0), 1.0) if step.model_probability == step.model_probability else 0.0
    )
    left, floor = corner.x + 3, end.y - 2
    canvas.add_rect_filled(
        ImVec2(left, floor - _BAR), ImVec2(left + (size.x - 6) * probability, floor), packed(theme.now.accent), 1.0
    )
    marked = selecting.strength(state, len(run.prompt_tokens) + step.index, step.token)
    if marked:
        canvas.add_rect(corner, end, packed(theme.now.mark, marked), 3.0, max(1.0, theme.em(theme.OUTLINE)))
        widget_tracking.mark(f"chip{step.index}", corner, end)
    if run.parent is not None and step.index == run.fork:  # chosen by hand
        canvas.add_rect(corner, end, packed(_MARK), 3.0)
    if step.index and step.index in run.changes:
        canvas.add_triangle_filled(
            corner, ImVec2(corner.x + 2 * pad, corner.y), ImVec2(corner.x, corner.y + 2 * pad), packed(_MARK)
        )
    if state.comparing.other_token(len(run.prompt_tokens) + step.index, step.token) is not None:
        canvas.add_rect(corner, end, packed(theme.now.differs), 3.0, max(1.0, theme.em(theme.OUTLINE)))
        widget_tracking.mark(f"differs{step.index}", corner, end)
    number = str(step.index + 1)
    ink = theme.now.text if chosen or heat > 0.5 else theme.now.text_dim
    canvas.add_text(ImVec2(corner.x + pad, corner.y + 3), packed(ink), number)
    x = corner.x + pad + imgui.calc_text_size(number).x + between
    canvas.add_text(ImVec2(x, corner.y + 3), packed(theme.now.text), quoted(step.text))


def _tip(state: State, run: Run, step: StepRecord) -> None:
    """Everything known about the token, and the candidates it was chosen from."""
    if not imgui.begin_tooltip():
        return
    imgui.text(f"{quoted(step.text)}  token {step.token}")
    if run.parent is not None and step.index == run.fork:
        imgui.text_colored(_MARK, "chosen by hand: the run branches here")
    if step.index in run.changes and step.index:
        before = run.options_at(step.index - 1)
        imgui.text_colored(_MARK, "from here on: " + changes_in_words(before, run.changes[step.index]))
    other = state.comparing.other_token(len(run.prompt_tokens) + step.index, step.token)
    if other is not None:
        imgui.text_colored(theme.now.differs, f"B has {quoted(other)} here")
    dim(
        f"raw logit {step.logit:.4f}, rank {step.rank}\nsampling probability {percent(step.probability).strip()}, "
        f"model probability {percent(step.model_probability).strip()}\nentropy {step.entropy / math.log(2):.2f} bits"
    )
    known = state.lens.known_at(len(run.prompt_tokens) + step.index, step.token)
    if known is not None:
        dim(f"likeliest after {short_name(state.lens.points[known])} and later")
    imgui.separator()
    for candidate in step.top[:_LISTED]:
        taken = candidate.token == step.token
        text = f"{percent(candidate.model_probability)}  {quoted(candidate.text)}"
        imgui.text_colored(theme.now.accent if taken else theme.now.text, text)
    imgui.end_tooltip()
