"""When the conditions that a tour waits for are met."""

from __future__ import annotations

from typing import Any

from atlas_viewer.state.state import State

from .run_controller import RunController


def reached(step: dict[str, Any], state: State, controller: RunController | None, *, pending: bool) -> bool:
    """True once the condition of a tour's `wait` step is met. pending: whether the window has yet to show something."""
    run = state.run
    if run is None or controller is None or state.requests:
        return False
    if step["wait"] == "writing":
        return len(run.steps) >= int(step.get("steps", 1))
    return run.done and not (pending or controller.pending)
