"""The prompt, and the buttons that start and stop a run."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from .. import items, theme
from ..requests import Generate, Stop
from ..state import State
from .widgets import dim, primary_button, tooltip

TITLE = "Prompt"


def draw(state: State) -> None:
    """Text field, Generate, Stop, and how far the run is."""
    flags = imgui.InputTextFlags_
    row = imgui.get_frame_height_with_spacing()
    height = max(imgui.get_content_region_avail().y - 2 * row, 2 * row)
    entered, state.prompt = items.input_text_multiline(
        "##prompt",
        state.prompt,
        ImVec2(-1, height),
        flags.enter_returns_true | flags.ctrl_enter_for_new_line | flags.word_wrap,
    )
    tooltip("Enter generates, Ctrl+Enter starts a new line")
    gap = imgui.get_style().item_spacing.x
    width = (imgui.get_content_region_avail().x - gap) / 2
    ready = state.model is not None
    imgui.begin_disabled(not ready)
    if primary_button("Generate", ImVec2(width, 0)) or (entered and ready):
        state.requests.append(Generate(state.prompt, state.options))
    imgui.end_disabled()
    imgui.same_line()
    imgui.begin_disabled(not state.busy)
    if items.button("Stop", ImVec2(width, 0)):
        state.requests.append(Stop())
    imgui.end_disabled()
    _progress(state)


def _progress(state: State) -> None:
    run = state.run
    if run is None:
        dim("No run yet")
        return
    done = len(run.steps)
    share = (done + (0 if run.done else run.progress)) / run.options.max_new_tokens
    with theme.coloured(imgui.Col_.plot_histogram, theme.now.accent_dim):
        imgui.progress_bar(min(share, 1.0), ImVec2(-1, 0), f"{done} of {run.options.max_new_tokens} tokens")
