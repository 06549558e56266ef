"""Actions of the Attention view."""

from __future__ import annotations

from atlas_viewer.state.state import State


def next_order(state: State) -> None:
    """Sort the heads by the next statistic."""
    state.attention.next_order()


def next_step(state: State) -> None:
    """Enlarge the next step."""
    state.attention.next_step()
