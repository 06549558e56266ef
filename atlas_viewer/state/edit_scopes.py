"""What of the selection an edit can change: the value, its row, its column, its head, the tensor, a rectangle."""

from __future__ import annotations

from dataclasses import dataclass

from compute.models import part_names
from compute.models.tensor_index import TensorIndex

from .edit_menu import Rectangle
from .inspection import TensorInfo
from .quoting import quoted
from .selection import Selection
from .state import State
from .text_tokens import context_start, token_at


@dataclass(frozen=True)
class Scope:
    """A part of the model that one edit can change. title: for people; target: as in the text of an edit."""

    title: str
    target: str
    weight: bool = False
    pattern: bool = False

    @property
    def has_mean(self) -> bool:
        """True when there is a mean over the prompt's rows."""
        return not (self.weight or self.pattern)

    @property
    def scores(self) -> str:
        """Of a pattern, the scores from which it is computed."""
        return part_names.scores_of(self.target)


def scopes(state: State, selection: Selection, rectangle: Rectangle | None = None) -> list[Scope]:
    """What can be edited of a selection, the smallest part first, but a rectangle before everything else."""
    found = [_rectangle(state, rectangle)] if rectangle is not None else []
    element = selection.element
    info = state.inspection.tensors.get(element.name) if element is not None else None
    if element is not None and info is not None:
        found += _of_tensor(state, element, info)
    elif selection.layer is not None:
        found += _of_layer(state, selection)
    elif selection.position is not None:
        found.append(
            Scope(
                f"embedding of {_token(state, selection.position)}",
                f"{part_names.embedding()}[pos={selection.position}]",
            )
        )
    if (
        selection.token is not None
        and (element is None or _is_logits(element.name, state))
        and selection.position is None
    ):
        found.append(Scope(f"logit of token {selection.token}, at every position", f"logits[:, {selection.token}]"))
    return [one for at, one in enumerate(found) if one not in found[:at]]


def _of_tensor(state: State, element: TensorIndex, info: TensorInfo) -> list[Scope]:
    name, weight = info.name, info.kind == "weight"
    whole = Scope(f"all of {name}", name, weight, pattern=len(info.shape) == 3)
    if not element.index:
        return [whole]
    if len(info.shape) == 3:
        return [*_of_pattern(state, element), whole]
    if _is_logits(name, state):
        return _of_logits(state, element)
    if len(element.index) == 1:
        return [Scope(f"the value {name}[{element.index[0]}]", f"{name}[{element.index[0]}]", weight), whole]
    row, column = element.index
    if not info.per_token:
        found = [Scope("this value", f"{name}[{row}, {column}]", weight)]
        found.append(Scope(f"row {row}", f"{name}[{row}]", weight))
        found.append(Scope(f"column {column}", f"{name}[:, {column}]", weight))
        return [*found, whole]
    position = context_start(state) + row
    token, axis = _token(state, position), info.axes[-1] if info.axes else None
    found = [Scope("this value", f"{name}[{position}, {column}]")]
    if axis is not None and axis.kind == "head":
        # Edits count the heads that the tensor has, of keys and values fewer than queries.
        head, third = axis.coordinate(column) // axis.group, column // (axis.size * axis.heads)
        if info.shape[-1] == axis.size * axis.heads and name.endswith(".qkv"):
            third = column % axis.size // (axis.size // 3)  # side by side within each head
        part = part_names.of_heads(name, third)
        whose = f"head {head} of layer {info.layer}"
        found.append(Scope(f"{whose} at {token}", f"{part}[pos={position}, head={head}]"))
        found.append(Scope(f"{whose}, at every token", f"{part}[head={head}]"))
    kind = axis.kind if axis is not None and axis.kind in ("channel", "neuron") else "column"
    found.append(Scope(f"{kind} {column}, at every token", f"{name}[:, {column}]"))
    found.append(Scope(f"the row of {token}", f"{name}[pos={position}]"))
    return [*found, whole]


def _of_pattern(state: State, element: TensorIndex) -> list[Scope]:
    start = context_start(state)
    head, query, key = element.index[0], element.index[1] + start, element.index[2] + start
    name = element.name
    return [
        Scope(
            f"head {head}: what {_token(state, query)} takes from {_token(state, key)}",
            f"{name}[head={head}, pos={query}, key={key}]",
            pattern=True,
        ),
        Scope(f"head {head}: all that {_token(state, query)} takes", f"{name}[head={head}, pos={query}]", pattern=True),
        Scope(
            f"head {head}: all that is taken from {_token(state, key)}", f"{name}[head={head}, key={key}]", pattern=True
        ),
        Scope(f"head {head}: its whole pattern", f"{name}[head={head}]", pattern=True),
    ]


def _of_logits(state: State, element: TensorIndex) -> list[Scope]:
    token, last = element.index[-1], context_start(state) + max(state.inspection.rows, 1) - 1
    return [
        Scope(f"logit of token {token}, at every position", f"logits[:, {token}]"),
        Scope(f"logit of token {token}, after {_token(state, last)}", f"logits[{last}, {token}]"),
        Scope("all logits", "logits"),
    ]


def _of_layer(state: State, selection: Selection) -> list[Scope]:
    """Of a head, a neuron, a channel or a token in a layer, without a tensor."""
    layer, position = selection.layer or 0, selection.position
    at, here = ("", "") if position is None else (f"pos={position}, ", f" at {_token(state, position)}")
    head, key, found = selection.head, selection.key, list[Scope]()
    out, pattern, whose = part_names.heads_output(layer), part_names.pattern(layer), f"head {head} of layer {layer}"
    if head is not None and key is not None and position is not None:
        taken = f"what {_token(state, position)} takes from {_token(state, key)}"
        found.append(Scope(taken, f"{pattern}[head={head}, pos={position}, key={key}]", pattern=True))
    if head is not None:
        if position is not None:
            found.append(Scope(f"{whose}{here}", f"{out}[pos={position}, head={head}]"))
        found.append(Scope(f"{whose}, at every token", f"{out}[head={head}]"))
        found.append(Scope(f"{whose}: its pattern{here}", f"{pattern}[{at}head={head}]", pattern=True))
    if selection.neuron is not None:
        neurons = part_names.neurons(layer, state.inspection.tensors)
        found.append(Scope(f"neuron {selection.neuron}, at every token", f"{neurons}[:, {selection.neuron}]"))
    rows = "" if position is None else f"[pos={position}]"
    found += [
        Scope(f"attention of layer {layer}{here}", f"{out}{rows}"),
        Scope(f"MLP of layer {layer}{here}", f"{part_names.mlp_output(layer)}{rows}"),
        Scope(f"residual stream after layer {layer}{here}", f"{part_names.stream(layer)}{rows}"),
    ]
    return found


def _rectangle(state: State, rectangle: Rectangle) -> Scope:
    info = state.inspection.tensors.get(rectangle.name)
    (top, bottom), (left, right) = rectangle.rows, rectangle.columns
    start = context_start(state) if info is None or info.per_token or rectangle.head is not None else 0
    rows = f"{top + start}:{bottom + start + 1}"
    name, weight = rectangle.name, info is not None and info.kind == "weight"
    size = f"{bottom - top + 1} x {right - left + 1} values"
    if rectangle.head is not None:
        keys = f"{left + start}:{right + start + 1}"
        return Scope(f"rectangle, {size}", f"{name}[{rectangle.head}, {rows}, {keys}]", pattern=True)
    if _is_logits(name, state):
        return Scope(f"rectangle, {right - left + 1} logits", f"logits[:, {left}:{right + 1}]")
    if info is not None and len(info.shape) == 1:
        return Scope(f"rectangle, {right - left + 1} values", f"{name}[{left}:{right + 1}]", weight)
    return Scope(f"rectangle, {size}", f"{name}[{rows}, {left}:{right + 1}]", weight)


def _token(state: State, position: int) -> str:
    known = token_at(state, position)
    return f"token {position}" + (f" {quoted(known[1])}" if known else "")


def _is_logits(name: str, state: State) -> bool:
    """True for the one activation that has a single row, with a value per token of the vocabulary."""
    info = state.inspection.tensors.get(name)
    return info is not None and info.kind != "weight" and len(info.shape) == 1
