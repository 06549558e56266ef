"""Actions of the Attribution panel."""

from __future__ import annotations

import time

from atlas_viewer.state.attribution_links import open_part
from atlas_viewer.state.navigation import open_attribution
from atlas_viewer.state.state import State


def next_section(state: State) -> None:
    """Show the next section: parts, stream, neurons."""
    open_attribution(state)
    state.attribution.next_section()


def reset_aim(state: State) -> None:
    """Explain the token of the step shown again."""
    view = state.attribution
    view.target = view.against = view.position = ""


def can_explain(state: State) -> bool:
    """True when there are parts."""
    return state.attribution.shown is not None


def open_largest(state: State) -> None:
    """Go to the head that adds most to the logit, or takes most from it, in Attention."""
    shown = state.attribution.shown
    if shown is not None and shown.largest_head is not None:
        open_part(state, shown, shown.largest_head, time.perf_counter())
