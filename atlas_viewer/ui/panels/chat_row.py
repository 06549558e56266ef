"""The chat switch of the prompt panel, and the turns before the one that is being written."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.text.chat import Turn

from .widgets import dim, elided, tooltip

_SHOWN = 4  # turns that are visible at once
_LONGEST_TIP = 2000  # characters


def available(state: State) -> bool:
    """True when the model has a chat template."""
    return state.model is not None and state.model.chat


def draw(state: State) -> None:
    """Draw the switch, its buttons and the turns; nothing for a model without a template."""
    if not available(state):
        return
    chat, run = state.chat, state.run
    _, chat.on = widget_tracking.checkbox("Chat", chat.on)
    tooltip(
        "Send the prompt as the user's turn of a chat, in the model's own template.\n"
        "The tokens below are exactly what is sent."
    )
    if not chat.on:
        return
    imgui.same_line()
    imgui.begin_disabled(not state.prompt.strip())
    if widget_tracking.small_button("As system"):
        chat.turns.append(Turn("system", state.prompt))
        state.prompt = ""
    imgui.end_disabled()
    tooltip("Make the text below a turn of the system, which says how to answer")
    imgui.same_line()
    imgui.begin_disabled(run is None or not run.done or not run.turns)
    if widget_tracking.small_button("Keep answer") and run is not None:
        chat.turns = [*run.turns, Turn("assistant", run.continuation.strip())]
        state.prompt = ""
    imgui.end_disabled()
    tooltip("Keep the turns and the answer of the run shown, to write the next turn")
    _turns(state)


def _turns(state: State) -> None:
    chat = state.chat
    if not chat.turns:
        return
    lines = min(len(chat.turns), _SHOWN)
    removed = None
    if imgui.begin_child("turns", ImVec2(0, lines * imgui.get_frame_height_with_spacing())):
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
