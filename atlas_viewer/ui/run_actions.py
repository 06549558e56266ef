"""Actions on runs as functions on the state: play, step, undo, stop, choose a token, find related runs."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.requests import Continue, Pause, Stop, Undo
from atlas_viewer.state.state import State

from .recording_actions import is_played_back, play_back


def play(state: State) -> None:
    """Continue the run, or pause it; while a recording is on screen, play or pause that."""
    if is_played_back(state):
        play_back(state)
        return
    state.requests.append(Pause() if state.busy else Continue())


def can_continue(state: State) -> bool:
    """True while the run is paused."""
    return state.run is not None and state.run.paused


def can_play(state: State) -> bool:
    """True while there is something to play or pause."""
    return state.busy or is_played_back(state) or can_continue(state)


def has_steps(state: State) -> bool:
    """True if the run has tokens."""
    return state.run is not None and bool(state.run.steps)


def choose(offset: int) -> Callable[[State], None]:
    """An action that chooses the token `offset` positions from the one shown."""

    def go(state: State) -> None:
        step = state.step
        if state.run is not None and step is not None:
            state.chosen = min(max(step.index + offset, 0), len(state.run.steps) - 1)

    return go


def relative(kind: str) -> Callable[[State], int | None]:
    """A function that finds the number of the parent, child, previous or next run of the one on screen."""

    def find(state: State) -> int | None:
        run, runs = state.run, state.runs
        if run is None or run.number not in runs.all:
            return None
        if kind == "parent":
            return run.parent
        if kind == "child":
            children = runs.children(run.number)
            return children[0].number if children else None
        siblings = [other.number for other in runs.children(run.parent)]
        at = siblings.index(run.number) + (1 if kind == "next" else -1)
        return siblings[at] if 0 <= at < len(siblings) else None

    return find


def one_token(state: State) -> None:
    """Generate one token."""
    state.requests.append(Continue(1))


def undo(state: State) -> None:
    """Remove the last token."""
    state.requests.append(Undo())


def stop(state: State) -> None:
    """Stop the run."""
    state.requests.append(Stop())
