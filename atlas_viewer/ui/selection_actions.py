"""Actions that move the selection, along the text, through the layers, from head to head; and on the step shown."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state import selecting
from atlas_viewer.state.state import State


def token(by: int) -> Callable[[State], None]:
    """Select the token `by` to the right."""
    return lambda state: selecting.move_token(state, by)


def layer(by: int) -> Callable[[State], None]:
    """Select the layer `by` further down."""
    return lambda state: selecting.move_layer(state, by)


def head(by: int) -> Callable[[State], None]:
    """Select the head `by` further."""
    return lambda state: selecting.move_head(state, by)


def has_text(state: State) -> bool:
    """True when there is a text with tokens."""
    return state.run is not None and bool(state.run.prompt_tokens)


def has_layers(state: State) -> bool:
    """True when the model has layers."""
    return state.model is not None and state.model.layers > 0


def has_heads(state: State) -> bool:
    """True when the model has attention heads."""
    return state.model is not None and state.model.heads > 0


def ladder(state: State) -> None:
    """Open the sampling ladder of the selected vocabulary token, or else of the step's token; close an open one."""
    wanted = state.selected.token
    if wanted is None and state.step is not None:
        wanted = state.step.token
    state.logits.ladder = None if state.logits.ladder is not None else wanted
    if state.logits.ladder is not None:
        state.logits.revealing = True
        state.ui.hidden.discard("Logits")
        state.ui.front = "Logits"


def stop_comparing(state: State) -> None:
    """Compare the step shown with none."""
    state.compare(None)


def compare_with_previous(state: State) -> None:
    """Compare the step shown with the one before."""
    step = state.step
    if step is not None and step.index:
        state.compare(step.index - 1)
