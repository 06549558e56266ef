"""What a patching map or an ablation changes: one position of an activation, or one head, per cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.grammar import Edit, Range
from compute.edits.resolved import ResolvedEdit, place, with_values
from compute.edits.targets import Target, Targets
from compute.edits.values import Array, Number
from compute.models.description import Description
from compute.models.patch_points import HEADS, Over, patch_points


@dataclass(frozen=True)
class Cells:
    """The cells of a map: a row per layer, a column per position of the text or per head of the layer."""

    over: Over
    targets: tuple[Target, ...]
    tokens: int

    @classmethod
    def of(cls, description: Description, over: Over, tokens: int) -> Cells:
        """The cells for a text of that many tokens."""
        find = Targets(description).find
        return cls(over, tuple(map(find, patch_points(description, over))), tokens)

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, positions or heads)."""
        return len(self.targets), self.targets[0].heads if self.over == HEADS else self.tokens

    @property
    def slots(self) -> tuple[str, ...]:
        """The tensors that edits of the cells change."""
        return tuple(target.slot for target in self.targets)

    @property
    def names(self) -> tuple[str, ...]:
        """The activation of each layer by the name of its memory."""
        return tuple(target.point for target in self.targets)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """All cells, layer by layer."""
        return iter(np.ndindex(*self.shape))

    def part(self, cell: tuple[int, int], array: np.ndarray) -> np.ndarray:
        """The values of the cell in the activation [tokens, columns] of its layer: [columns] or [tokens, head size]."""
        layer, index = cell
        size = array.shape[1] // (self.targets[layer].heads or 1)
        part: np.ndarray = array[:, index * size : (index + 1) * size] if self.over == HEADS else array[index]
        return part

    def setting(self, cell: tuple[int, int], values: np.ndarray | float, op: str = "=") -> ResolvedEdit:
        """The edit that sets the values of the cell, or by `op` adds to or scales them."""
        layer, index = cell
        target = self.targets[layer]
        at = Range(index, single=True, name="head" if self.over == HEADS else "pos")
        return edit_of_values(target, (at,), op, values, self.tokens)

    def whole(self, layer: int, value: np.ndarray | float) -> ResolvedEdit:
        """The edit that sets the activation of a layer at every position: to a number, or a row [columns]."""
        return edit_of_values(self.targets[layer], (), "=", value, self.tokens)


def edit_of_values(
    target: Target, index: tuple[Range, ...], op: str, values: np.ndarray | float, tokens: int
) -> ResolvedEdit:
    """An edit of a text of that many tokens by a number or an array."""
    array = np.asarray(values, np.float32)
    edit = Edit(target.name, index, op, Array(array) if array.ndim else Number(float(array)))
    return with_values(place(edit, target, tokens, tokens), array)


def stream_targets(description: Description) -> list[Target]:
    """The points of the residual stream."""
    find = Targets(description).find
    return [find(point) for point in description.stream]


def rounding(targets: Sequence[Target], random: np.random.Generator, tokens: int) -> Sequence[ResolvedEdit]:
    """Edits that move each value of the targets up or down by about one unit in the last place of float32."""
    unit = float(np.finfo(np.float32).eps)
    factors = [1 + unit * random.choice([-1.0, 1.0], target.columns) for target in targets]
    return [edit_of_values(t, (), "*=", factor, tokens) for t, factor in zip(targets, factors, strict=True)]
