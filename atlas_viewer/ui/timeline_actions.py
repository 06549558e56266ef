"""Actions on the timeline as functions on the state."""

from __future__ import annotations

from atlas_viewer.state.state import State
from atlas_viewer.state.timeline import go_to, timeline


def first_step(state: State) -> None:
    """Show the first step of the run or recording."""
    go_to(state, 1)


def last_step(state: State) -> None:
    """Show the last step; a live run is followed from then on."""
    line = timeline(state)
    if line is not None:
        go_to(state, len(line.steps))


def can_advance(state: State) -> bool:
    """True unless the last step is shown and followed."""
    line = timeline(state)
    return line is not None and (state.chosen is not None or line.reached < len(line.steps))


def toggle_timeline(state: State) -> None:
    """Show or hide the bar."""
    state.ui.timeline = not state.ui.timeline


def go_to_timeline(state: State) -> None:
    """Show the bar, and put the keyboard focus on it."""
    state.ui.timeline, state.ui.front = True, "Timeline"
