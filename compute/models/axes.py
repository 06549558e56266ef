"""The meaning of each dimension of each tensor: what its rows and columns count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .operations import (
    Activation,
    Add,
    Alias,
    Attention,
    Gated,
    Gather,
    Head,
    Linear,
    Norm,
    Operation,
    RmsNorm,
    Rope,
    Scale,
)

if TYPE_CHECKING:
    from .description import Description

Kind = Literal["position", "key", "absolute", "token", "channel", "head", "neuron"]


@dataclass(frozen=True)
class Axis:
    """One dimension of a tensor.

    kind: what its indices count: rows of the context ("position", and "key" for the tokens attended to), "absolute"
    positions (rows of the position embedding), tokens of the vocabulary, channels of the residual stream, attention
    heads, or hidden neurons of an MLP.
    size: consecutive indices of one head; 1 for the other kinds.
    heads: the number of heads, after which the indices start over (queries, keys and values are side by side).
    group: query heads that share one of these heads. Coordinates of heads are those of query heads.
    """

    kind: Kind
    size: int = 1
    heads: int = 0
    group: int = 1

    def coordinate(self, index: int) -> int:
        """The head, channel, token, neuron or row that `index` belongs to."""
        return index // self.size % self.heads * self.group if self.heads else index

    def ranges(self, coordinate: int, length: int) -> tuple[tuple[int, int], ...]:
        """The indices [start, stop) of a coordinate in a dimension of `length`; none when it has no such coordinate."""
        if not self.heads:
            return ((coordinate, coordinate + 1),) if 0 <= coordinate < length else ()
        head = coordinate // self.group
        if not 0 <= head < self.heads:
            return ()
        starts = range(head * self.size, length, self.heads * self.size)
        return tuple((start, start + self.size) for start in starts)


Axes = tuple[Axis, ...]

_POSITION, _KEY, _ABSOLUTE, _TOKEN = Axis("position"), Axis("key"), Axis("absolute"), Axis("token")
_CHANNEL, _NEURON = Axis("channel"), Axis("neuron")


def axes_of(description: Description) -> dict[str, Axes]:
    """The axes of every tensor of the model, in the order of its shape. Vectors have one axis."""
    columns: dict[str, Axis] = {}
    stream = {description.canonical(name) for point in description.stream for name in description.contributors(point)}
    stream |= set(description.stream)
    heads = _heads_of_columns(description)
    for operation in description.operations():
        columns[operation.output] = _columns(operation, columns, stream, heads)
    axes: dict[str, Axes] = {}
    for operation in description.operations():
        for name, found in _tensors(operation, columns).items():
            axes.setdefault(name, found)
    return axes


def _heads_of_columns(description: Description) -> dict[str, Axis]:
    """The heads of every activation that attention or rotation reads, and of what they return."""
    found: dict[str, Axis] = {}

    for operation in reversed(tuple(description.operations())):
        if isinstance(operation, Attention):
            for _, heads in operation.parts:
                # Where queries, keys and values are side by side within each head, a head is all three.
                found[heads.source] = Axis("head", heads.step, heads.heads, operation.heads // heads.heads)
            found[operation.output] = Axis("head", operation.head_size, operation.heads)
        elif isinstance(operation, Rope) and operation.output in found:
            heads = operation.x
            found[heads.source] = Axis("head", heads.step, heads.heads, found[operation.output].group)
        elif isinstance(operation, RmsNorm) and operation.size < operation.columns and operation.output in found:
            found[operation.x] = found[operation.output]
    return found


def _columns(operation: Operation, known: dict[str, Axis], stream: set[str], heads: dict[str, Axis]) -> Axis:
    """What the columns of an operation's output count."""
    if operation.output in heads:
        return heads[operation.output]
    if operation.output in stream or isinstance(operation, Gather):
        return _CHANNEL
    if isinstance(operation, Head):
        return _TOKEN
    if isinstance(operation, Alias | Norm | Activation | Gated | Add | Scale):
        return known[operation.inputs[0]]
    return _NEURON


def _tensors(operation: Operation, columns: dict[str, Axis]) -> dict[str, Axes]:
    """The axes of an operation's output, pattern and weights."""
    out = columns[operation.output]
    found: dict[str, Axes] = {operation.output: (out,) if isinstance(operation, Head) else (_POSITION, out)}
    if isinstance(operation, Attention):
        found[operation.pattern] = (Axis("head", 1, operation.heads), _POSITION, _KEY)
    if isinstance(operation, Gather):
        found[operation.table.name] = (_TOKEN if operation.by == "token" else _ABSOLUTE, out)
    elif isinstance(operation, Linear):
        found[operation.weight.name] = (out, columns[operation.x])
    # Vectors are biases, and scales and shifts of norms: one value per column of the output. The scale of a norm of
    # each head counts the channels of any head.
    for weight in operation.weights:
        if len(weight.shape) == 1 and weight.count == operation.columns:
            found[weight.name] = (out,)
    return found
