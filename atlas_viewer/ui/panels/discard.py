"""The dialog that asks before runs are discarded."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.recording_actions import discard

from .modal import modal
from .widgets import drawable, primary_button

_BUTTON = 14.0  # ems


def draw(state: State) -> None:
    """Draw the dialog while it is open."""
    modal(state, "discard", "Discard unsaved runs?", _fill, ImVec2(34, 0))


def _fill(state: State) -> None:
    question = state.recording.question
    if question is None:
        state.ui.dialog = ""
        return
    imgui.text_wrapped(drawable(question.text))
    imgui.text_wrapped("Runs cannot be recorded afterwards.")
    imgui.spacing()
    if primary_button("Keep them###keep runs", ImVec2(theme.em(_BUTTON), 0)):
        state.ui.dialog, state.recording.question = "", None
    imgui.same_line()
    if widget_tracking.button("Discard them###discard runs", ImVec2(theme.em(_BUTTON), 0)):
        discard(state)
