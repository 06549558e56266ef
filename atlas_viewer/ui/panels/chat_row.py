"""The chat switch of the prompt panel, and the turns before the one that is being written."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.text.chat import Turn

from .widgets import dim, elided, tooltip

_LABEL = "Chat"
_BELOW = 4.2  # rows for the text field, the count and the buttons
_SHOWN = 4  # turns that are visible at once
_LONGEST_TIP = 2000  # characters


def available(state: State) -> bool:
    """True when the model has a chat template."""
    return state.model is not None and state.model.chat


def switch_width(state: State) -> float:
    """The width of the switch, in pixels; 0 for a model without a template."""
    if not available(state):
        return 0.0
    style = imgui.get_style()
    box = imgui.get_text_line_height() + 2 * style.frame_padding.y
    return box + style.item_inner_spacing.x + imgui.calc_text_size(_LABEL).x + style.item_spacing.x


def switch(state: State) -> None:
    """Draw the switch, if the model has a template."""
    if available(state):
        _, state.chat.on = widget_tracking.checkbox(_LABEL, state.chat.on)
        tooltip(
            "Send the prompt as the user's turn of a chat, in the model's own template.\n"
            "The tokens below are exactly what is sent."
        )


def draw(state: State) -> None:
    """Draw the chat's buttons and its turns; nothing while the prompt is a plain text."""
    chat, run = state.chat, state.run
    if not chat.on or not available(state):
        return
    imgui.begin_disabled(not state.prompt.strip())
    if widget_tracking.small_button("As system"):
        chat.turns.append(Turn("system", state.prompt))
        state.prompt = ""
    imgui.end_disabled()
    tooltip("Make the text below a system turn, which says how to answer")
    imgui.same_line()
    imgui.begin_disabled(run is None or not run.done or not run.turns)
    if widget_tracking.small_button("Keep answer") and run is not None:
        chat.turns = [*run.turns, Turn("assistant", run.continuation.strip())]
        state.prompt = ""
    imgui.end_disabled()
    tooltip("Keep the turns and the answer on screen, so that you can write the next turn")
    _turns(state)


def _turns(state: State) -> None:
    chat = state.chat
    if not chat.turns:
        return
    line = imgui.get_text_line_height_with_spacing()
    free = imgui.get_content_region_avail().y - _BELOW * imgui.get_frame_height_with_spacing()
    lines = max(1, min(len(chat.turns), _SHOWN, int(free / line)))
    removed = None
    if imgui.begin_child("turns", ImVec2(0, lines * line)):
        for index, turn in enumerate(chat.turns):
            imgui.push_id(index)
            if widget_tracking.small_button("x"):
                removed = index
            tooltip("Remove this turn")
            imgui.same_line()
            dim(f"{turn.role}:")
            imgui.same_line()
            text = " ".join(turn.content.split())
            imgui.text_unformatted(elided(text, imgui.get_content_region_avail().x))
            tooltip(f"{turn.role}: {quoted(turn.content[:_LONGEST_TIP])}")
            imgui.pop_id()
    imgui.end_child()
    if removed is not None:
        del chat.turns[removed]
