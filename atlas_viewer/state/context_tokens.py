"""Which token of the text each row of the activations belongs to."""

from __future__ import annotations

from .state import State


def context_start(state: State) -> int:
    """Index in the text of the first context token of the latest pass."""
    inspection = state.inspection
    positions = state.model.positions if state.model else 0
    if inspection.first_position + inspection.rows < positions or state.run is None or not state.run.steps:
        return inspection.first_position
    return state.run.steps[-1].context_start


def context_token(state: State, row: int) -> tuple[int, str] | None:
    """Id and text of the context token in `row`; None while it is unknown."""
    run = state.run
    if run is None:
        return None
    position = context_start(state) + row
    if position < len(run.prompt_tokens):
        return run.prompt_tokens[position]
    position -= len(run.prompt_tokens)
    return (run.steps[position].token, run.steps[position].text) if position < len(run.steps) else None
