"""The tensors that edits can change: where each is written, and its axes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import numpy as np

from compute.errors import TensorNameError, UsageError
from compute.io.escape import one_line
from compute.models.description import Description
from compute.models.operations import Attention, Heads, RmsNorm
from compute.models.readings import Form, Reading, parts_of_one, readings
from compute.models.transformerlens import names_by_transformerlens, transformerlens_readings

_NEAREST = 3


class Kind(Enum):
    """What is edited, which decides where it happens."""

    ACTIVATION = "activation"
    SCORES = "attention scores"
    PATTERN = "attention pattern"
    LOGITS = "logits"
    WEIGHT = "weight"

    @property
    def of_attention(self) -> bool:
        """True for what exists only inside a kernel of attention."""
        return self in (Kind.SCORES, Kind.PATTERN)


@dataclass(frozen=True)
class Axis:
    """An axis of a tensor. name: "pos", "head" or "key", else ""; size: None for an axis of tokens."""

    name: str
    size: int | None

    @property
    def text(self) -> str:
        """The size for messages."""
        return {"pos": "tokens", "key": "keys"}.get(self.name, "") if self.size is None else str(self.size)


@dataclass(frozen=True)
class Target:
    """A tensor that edits can change.

    name: as it was written. point: the activation or weight whose values change, of attention the pattern, by name.
    base: the point's column that is the tensor's first; columns: how many it has. heads: how many heads these are, 0
    without; step: the point's columns from one head to the next, 0 for heads side by side.
    same: other names of the same values.
    """

    name: str
    kind: Kind
    point: str
    axes: tuple[Axis, ...]
    base: int
    columns: int
    heads: int
    step: int = 0
    same: tuple[str, ...] = ()

    def changes(self, name: str, description: Description) -> bool:
        """True when it is the tensor `name` or, of attention, its pattern."""
        return self.point == description.canonical(name)

    @property
    def slot(self) -> str:
        """The name of the point, which differs for the scores and the pattern of the same attention."""
        return f"{self.point} (scores)" if self.kind is Kind.SCORES else self.point

    def taken(self, rows: np.ndarray) -> np.ndarray:
        """The target's columns, [rows, columns], of rows of its point."""
        if not self.step:
            return rows[:, self.base : self.base + self.columns]
        size = self.columns // self.heads
        heads = (self.base + head * self.step for head in range(self.heads))
        return rows[:, [column for first in heads for column in range(first, first + size)]]

    @property
    def shape_text(self) -> str:
        """The shape for messages: `tokens x 192`."""
        return " x ".join(axis.text for axis in self.axes)


class Targets:
    """All tensors of a model that edits can change."""

    def __init__(self, description: Description) -> None:
        self._description = description

    @cached_property
    def _readings(self) -> dict[str, Reading]:
        """By our names, and by those of TransformerLens where they differ."""
        ours = readings(self._description)
        return ours | {name: r for name, r in transformerlens_readings(self._description).items() if name not in ours}

    @property
    def names(self) -> list[str]:
        """Every name that `find` knows."""
        return [*self._readings, *self._description.weights, self._description.head.output]

    def find(self, name: str) -> Target:
        """The tensor of that name, ours or TransformerLens'. Raises `TensorNameError`, `UsageError`."""
        description = self._description
        if name == description.head.output:
            tokens = description.head.vocabulary or description.head.columns
            return Target(name, Kind.LOGITS, name, (Axis("pos", None), Axis("", tokens)), 0, tokens, 0)
        weight = name if name in description.weights else name.removesuffix(".weight")
        if weight in description.weights:
            shape = description.weights[weight].shape
            return Target(name, Kind.WEIGHT, weight, tuple(Axis("", size) for size in shape), 0, shape[-1], 0)
        reading = self._readings.get(name)
        if reading is None:
            near = [self._described(one) for one in nearest(name, self.names)]
            raise TensorNameError(f"{one_line(name, 80)}: no tensor has this name; the nearest are {', '.join(near)}")
        return replace(_target(description, reading), same=tuple(self._others.get(name, ())))

    @cached_property
    def _others(self) -> dict[str, list[str]]:
        """Names in the other scheme, by name."""
        others: dict[str, list[str]] = {}
        for theirs, ours in names_by_transformerlens(self._description).items():
            others.setdefault(theirs, []).append(ours)
            others.setdefault(ours, []).append(theirs)
        return others

    def _described(self, name: str) -> str:
        """The name with its shape."""
        try:
            return f"{name} ({self.find(name).shape_text})"
        except UsageError:
            return name


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The names that are most like `name`."""
    return difflib.get_close_matches(name, list(known), n=_NEAREST, cutoff=0.0)


def _target(description: Description, reading: Reading) -> Target:
    operation, form, name = reading.operation, reading.form, reading.name
    if form in (Form.NORMALIZED, Form.DEVIATION):
        norm = "RMS norm" if isinstance(operation, RmsNorm) else "layer norm"
        raise UsageError(f"{name}: exists only inside the {norm}; edit its result, {operation.output}")
    pos = Axis("pos", None)
    if isinstance(operation, Attention) and (form is Form.SCORES or reading.source == operation.pattern):
        kind = Kind.SCORES if form is Form.SCORES else Kind.PATTERN
        axes: tuple[Axis, ...] = (Axis("head", operation.heads), pos, Axis("key", None))
        return Target(name, kind, operation.pattern, axes, 0, 0, operation.heads)
    point = description.canonical(reading.source)
    heads = reading.heads or _heads(description, point)
    if heads is None:
        axes = (pos, Axis("", operation.columns))
        return Target(name, Kind.ACTIVATION, point, axes, 0, operation.columns, 0)
    by_head = (pos, Axis("head", heads.heads), Axis("", heads.size))
    # Heads that lie apart have no run of columns that a range could select.
    axes = by_head if form is Form.HEADS or heads.stride else (pos, Axis("", heads.columns))
    return Target(name, Kind.ACTIVATION, point, axes, heads.first, heads.columns, heads.heads, heads.stride)


def _heads(description: Description, point: str) -> Heads | None:
    """The heads that the columns of an activation are, side by side and nothing else; None for other activations."""
    axis = description.axes[point][-1]
    columns = description.outputs[point].columns
    if not axis.heads or axis.size * axis.heads != columns or point in _mixed(description):
        return None
    return Heads(point, axis.heads, axis.size)


def _mixed(description: Description) -> set[str]:
    """Activations that are queries, keys and values at once, of which no head can be edited under their own name."""
    parts = (heads for attention in description.attention for _, heads in parts_of_one(description, attention))
    return {heads.source for heads in parts}
