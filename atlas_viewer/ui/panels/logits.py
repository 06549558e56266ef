"""The candidates at the chosen step: facts about the step, controls, and the table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.candidates import FEWEST, MOST
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from . import logits_table
from .ladder import TextOf
from .option_rows import NO_TEXT, TYPE_HINT
from .step_compare import compare_choice
from .widgets import dim, elided, hint, quoted, tooltip

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord

NAME = "Logits"

# In ems: widths of the controls, and the minimum panel width for controls beside the facts.
_TOP, _SEARCH, _COMPARE = 8.0, 13.0, 12.0
_ONE_ROW = 80.0
_NUMBERED = 28.0  # minimum panel width for the number beside its slider
_FIND = "find a token by text or id"


def draw(state: State, services: Services) -> None:
    """Draw facts about the chosen step, the controls, then the table."""
    run, step = state.run, state.step
    if run is None or step is None:
        hint("The likeliest next tokens at the chosen step, with logits and probabilities.")
        return
    options = run.options_at(step.index)
    one_row = imgui.get_content_region_avail().x >= theme.em(_ONE_ROW)
    gaps = 3 * imgui.get_style().item_spacing.x
    reserved = theme.em(_TOP + _SEARCH + _COMPARE) + gaps if one_row else 0.0
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(imgui.get_style().frame_padding.x, theme.em(0.1)))
    if one_row:
        imgui.align_text_to_frame_padding()
    right = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x
    _facts(state, step, options, imgui.get_content_region_avail().x - reserved)
    if one_row:
        imgui.same_line(right - reserved + imgui.get_style().item_spacing.x)
    _controls(state)
    imgui.pop_style_var()
    table = state.logits.table(
        step, options, state.current_distribution, state.compared_distribution, services.tokenizer
    )
    if not table.lines:
        hint("No token matches this text or id.")
        return
    logits_table.draw(state, step, table, _text_of(services))


def _text_of(services: Services) -> TextOf:
    """The quoted text of a token, or its id when no text is known."""
    codec = services.tokenizer
    return lambda token: quoted(codec.token_label(token)) if codec is not None else f"token {token}"


def _facts(state: State, step: StepRecord, options: GenerateOptions, width: float) -> None:
    """Draw the token that was taken and how, on one line of `width` pixels."""
    left = imgui.get_cursor_pos_x()
    with theme.numbers(), theme.colored(imgui.Col_.text, theme.now.accent):
        imgui.text(elided(f"#{step.index + 1} {quoted(step.text)}", max(width / 2, theme.em(4))))
    whole = state.current_distribution
    if whole is not None and whole.nonfinite:
        imgui.same_line()
        count = f"{whole.nonfinite:,} of {whole.logits.size:,} logits are not finite"
        imgui.text_colored(theme.now.error, count)
        tooltip("Tokens with NaN or infinite logits are never sampled; Trace shows the first bad tensor")
    imgui.same_line()
    text = ",  ".join(facts(state, step, options))
    shown = elided(text, max(width - (imgui.get_cursor_pos_x() - left), theme.em(1)))
    dim(shown)
    if shown != text:
        tooltip(text.replace(",  ", "\n"))


def facts(state: State, step: StepRecord, options: GenerateOptions) -> list[str]:
    """Facts about how the token was chosen."""
    whole = state.current_distribution
    rank = int(whole.rank[step.token]) if whole is not None else step.rank
    first, last = step.context_start, step.context_start + step.context_length - 1
    texts = [f"token {step.token}"]
    if rank:
        texts.append(f"rank {rank:,}")
    if state.live and math.isfinite(step.forward_ms):
        texts.append(f"forward {step.forward_ms:.1f} ms")
    texts.append("greedy" if options.temperature == 0 else f"T {options.temperature:.2f}")
    if options.temperature:
        texts += [f"top-k {options.top_k}"] if options.top_k else []
        texts += [f"top-p {options.top_p:g}"] if options.top_p < 1 else []
        texts += [f"min-p {options.min_p:g}"] if options.min_p else []
    texts += [f"penalty {options.repetition_penalty:g}"] if options.repetition_penalty != 1 else []
    return [*texts, f"positions {first} to {last}"]


def _controls(state: State) -> None:
    view = state.logits
    width = imgui.get_content_region_avail().x
    compare = min(theme.em(_COMPARE), width / 3)
    shown = f"top {view.top}"
    text = imgui.calc_text_size(shown).x + imgui.get_style().item_spacing.x if width >= theme.em(_NUMBERED) else 0.0
    imgui.set_next_item_width(min(theme.em(_TOP), width / 4) - text)
    always = imgui.SliderFlags_.always_clamp
    _, view.top = widget_tracking.slider_int("##top", view.top, FEWEST, MOST, NO_TEXT, always)
    tooltip(f"{shown}: number of tokens in the table, likeliest first. {TYPE_HINT}")
    imgui.same_line()
    if text:
        imgui.align_text_to_frame_padding()
        dim(shown)
        imgui.same_line()
    search = imgui.get_content_region_avail().x - compare - imgui.get_style().item_spacing.x
    imgui.set_next_item_width(max(search, 1.0))
    hint_text = elided(_FIND, search - 2 * imgui.get_style().frame_padding.x)
    if view.seeking:
        imgui.set_keyboard_focus_here()
        view.seeking = False
    _, view.words = widget_tracking.input_text_with_hint("##find", hint_text, view.words)
    tooltip("Any token of the vocabulary; leading spaces and case are ignored")
    imgui.same_line()
    compare_choice(state, "table", compare)
