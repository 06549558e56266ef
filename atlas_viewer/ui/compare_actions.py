"""Actions of the comparison of A with B."""

from __future__ import annotations

from atlas_viewer.state.comparing import SIDES
from atlas_viewer.state.navigation import open_compare
from atlas_viewer.state.state import State

from .action import Action


def compares(state: State) -> bool:
    """True when there is a B."""
    return state.comparing.ready


def has_choice(state: State) -> bool:
    """True when a B is chosen, even if it could not be computed."""
    return state.comparing.choice is not None


def next_side(state: State) -> None:
    """Show the next of A, B and their difference."""
    comparing = state.comparing
    comparing.side = SIDES[(SIDES.index(comparing.side) + 1) % len(SIDES)]


def hold(state: State) -> None:
    """Show B while the key is held; without a key, until the same is chosen again."""
    state.comparing.held = not state.comparing.held


def stop(state: State) -> None:
    """End the comparison."""
    state.comparing.choose(None)


def release(state: State) -> None:
    """Show the chosen side again."""
    state.comparing.held = False


COMPARE_ACTIONS = (
    Action("focus.Compare", "Compare A with B", "View", open_compare, "Shift+J"),
    Action("compare.side", "Next of A, B, A - B and relative", "View", next_side, "Ctrl+J", compares),
    Action("compare.blink", "Show B while the key is held", "View", hold, "J", compares, release=release),
    Action("compare.stop", "Stop comparing A with B", "View", stop, "Alt+J", has_choice),
)
