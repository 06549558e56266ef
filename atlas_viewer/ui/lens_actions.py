"""Actions on Lens."""

from __future__ import annotations

from atlas_viewer.state.state import State


def next_lens_color(state: State) -> None:
    """Use the next coloring."""
    state.lens.next_mode()
