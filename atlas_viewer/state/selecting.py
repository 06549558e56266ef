"""Selecting with mouse and keys, and the selection as one line of text. Functions on the state."""

from __future__ import annotations

import dataclasses

from compute.models.tensor_index import TensorIndex

from .quoting import quoted
from .selection import NOTHING, Selection
from .state import State
from .text_tokens import context_start, text_length, token_at

SEPARATOR = " · "
_WEAKEST = 0.25  # of the marks of source tokens


def begin_frame(state: State) -> None:
    """Forget what the mouse was over two frames ago, and follow the value that keys, pins or names have led to."""
    state.pointed, state.hovered = state.hovered, NOTHING
    inspection = state.inspection
    if inspection.cursor is not None and not inspection.keyed:
        return  # the mouse is over a value, which does not select it
    inspected = None if inspection.focus is None else inspection.single(inspection.focus)
    if inspected != state.inspected:
        state.inspected = inspected
        if inspected is not None:
            state.selected = of_element(state, inspected)


def of_element(state: State, element: TensorIndex) -> Selection:
    """The selection of a value of the latest pass; of the most extreme one of a run of values."""
    inspection = state.inspection
    info, start = inspection.tensors.get(element.name), context_start(state)
    single = inspection.single(element) if element.count > 1 else element
    if info is None:
        return Selection(element=single)
    return Selection.at(single, info.axes, info.layer, start, start - inspection.first_position)


def of_token(state: State, position: int) -> Selection:
    """The selection of a token of the text, with its vocabulary id."""
    token = token_at(state, position)
    return Selection(position=position, token=None if token is None else token[0])


def select(state: State, element: TensorIndex | None) -> None:
    """Select a value, or nothing."""
    state.selected = NOTHING if element is None else of_element(state, element)


def clear(state: State) -> None:
    """Select nothing."""
    state.selected = NOTHING


def forget(state: State) -> None:
    """Select nothing and close the sampling ladder: another model, or another recording, comes on screen."""
    state.selected = state.hovered = state.pointed = NOTHING
    state.inspected = state.logits.ladder = None


# -- keys


def move_token(state: State, by: int) -> None:
    """Select the token `by` to the right, in the same layer and head; at first, the last token of the context."""
    length = text_length(state)
    if not length:
        return
    kept, last = state.selected, context_start(state) + max(state.inspection.rows, 1) - 1
    position = last if kept.position is None else kept.position + by
    token = of_token(state, min(max(position, 0), length - 1))
    state.selected = dataclasses.replace(token, layer=kept.layer, head=kept.head, channel=kept.channel)


def move_layer(state: State, by: int) -> None:
    """Select the layer `by` further down the model; at first, the first one."""
    if state.model is None or not state.model.layers:
        return
    kept = state.selected
    layer = 0 if kept.layer is None else min(max(kept.layer + by, 0), state.model.layers - 1)
    state.selected = dataclasses.replace(kept, layer=layer, element=None, neuron=None)


def move_head(state: State, by: int) -> None:
    """Select the head `by` further, after the last one the first; at first head 0, and layer 0 if none is selected."""
    if state.model is None or not state.model.heads:
        return
    kept = state.selected
    head = 0 if kept.head is None else (kept.head + by) % state.model.heads
    state.selected = dataclasses.replace(kept, layer=kept.layer or 0, head=head, element=None, neuron=None)


# -- the line of text


def describe(state: State, selection: Selection) -> str:
    """The selection on one line, with the reason when the views have nothing to highlight; empty without one."""
    parts = [_token(state, selection.position)] if selection.position is not None else []
    if selection.key is not None:
        parts.append(f"attends to {_token(state, selection.key)}")
    numbers = (
        ("layer", selection.layer),
        ("head", selection.head),
        ("channel", selection.channel),
        ("neuron", selection.neuron),
    )
    parts += [f"{name} {number}" for name, number in numbers if number is not None]
    if selection.token is not None and selection.position is None:
        parts.append(f"vocabulary token {selection.token}")
    if selection.element is not None:
        parts.append(str(selection.element))
    reason = explanation(state, selection)
    return SEPARATOR.join([*parts, reason] if reason else parts)


def _token(state: State, position: int) -> str:
    known = token_at(state, position)
    return f"token {position}" + (f" {quoted(known[1])}" if known else "")


def explanation(state: State, selection: Selection) -> str:
    """Why views show nothing, or another row, for the selection; empty when they show it."""
    position, model = selection.position, state.model
    if model is not None and selection.layer is not None and selection.layer >= model.layers:
        return f"this model has only {model.layers} layers"
    if model is not None and selection.head is not None and selection.head >= model.heads:
        return f"this model has only {model.heads} heads"
    element, tensors = selection.element, state.inspection.tensors
    if element is not None and tensors and element.name not in tensors:
        return "this model has no such tensor"
    if position is None or not state.inspection.rows:
        return ""
    start, end = context_start(state), context_start(state) + state.inspection.rows
    sees = f"this pass sees tokens {start} to {end - 1}"
    if position < start:
        return f"it has left the context: {sees}"
    if position >= text_length(state):
        return f"the text on screen has no such token: {sees}"
    if position == end:
        return f"this pass predicts it in the row of token {end - 1}; it has no row of its own yet"
    return f"it comes later: {sees}" if position > end else ""


def row_of(state: State, position: int) -> int | None:
    """The row of a token in the activations of the latest pass; None when it has none.

    The token that the pass predicts has the last row, which computes it.
    """
    rows, row = state.inspection.rows, position - context_start(state)
    if row == rows and rows > 0 and position < text_length(state):
        return rows - 1
    return row if 0 <= row < rows else None


def shows_token(selection: Selection, position: int, token: int) -> bool:
    """True when the token of the text at `position`, with this vocabulary id, belongs to the selection."""
    if selection.position is None:
        return selection.token == token
    return position in (selection.position, selection.key)


def strength(state: State, position: int, token: int) -> float:
    """How strongly views mark a token of the text: 1 in the selection, less for other sources of a head."""
    if shows_token(state.highlight, position, token):
        return 1.0
    return _WEAKEST + (1 - _WEAKEST) * share if (share := state.attribution.marks.get(position, 0.0)) else 0.0


def is_thread(selection: Selection) -> bool:
    """True when a token is selected by itself: views then follow its row, and dim the others."""
    return selection.position is not None and selection.element is None


def thread(state: State) -> Selection:
    """The selected token that views follow, whatever the mouse is over; nothing when there is none."""
    return state.selected if is_thread(state.selected) else NOTHING
