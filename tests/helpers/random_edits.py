"""Random edits of any tensor of a model, with values that fit."""

from __future__ import annotations

import contextlib

import numpy as np

from compute.edits.grammar import Edit, Range, edit_of
from compute.edits.resolved import ResolvedEdit, place, with_values
from compute.edits.targets import Axis, Kind, Target, Targets
from compute.edits.values import Array, Number
from compute.errors import UsageError
from compute.models.description import Description


def all_targets(description: Description) -> list[Target]:
    """Everything that can be edited, under all names."""
    found, targets = [], Targets(description)
    for name in targets.names:
        with contextlib.suppress(UsageError):  # what exists only inside a layer norm
            found.append(targets.find(name))
    return found


def random_edit(random: np.random.Generator, choices: list[Target], prompt: int, limit: int) -> ResolvedEdit:
    """An edit of a random tensor: of one to all of its values, by a number or an array."""
    # Weights are many: most edits are of activations and attention.
    pool = [target for target in choices if (target.kind is Kind.WEIGHT) == (random.random() < 0.2)]
    target = pool[random.integers(len(pool))]
    index = _index(random, target, prompt)
    op = ("=", "+=", "*=")[random.integers(3)]
    number = Number(float(np.float32(random.normal())))
    if target.kind is Kind.SCORES and op != "*=" and random.random() < 0.5:
        number = Number(-np.inf)
    edit = Edit(target.name, index, op, number)
    placed = place(edit, target, prompt, limit)
    if number.value != -np.inf and random.random() < 0.5:
        shape = _shape(random, edit, placed.selection, target, limit)
        values = random.normal(size=shape).astype(np.float32)
        edit = Edit(target.name, index, op, Array(values))
        return with_values(place(edit, target, prompt, limit), values)
    return with_values(placed, np.asarray(number.value, np.float32))


def _shape(random: np.random.Generator, edit: Edit, selection: object, target: Target, limit: int) -> list[int]:
    """A shape that fits what the edit selects, with some axes of 1 and some leading ones left out."""
    sizes = []
    for names in selection.axes:  # type: ignore[attr-defined]
        size = 1
        for name in names:
            span = getattr(selection, name)
            positions = (name == "rows" and target.kind is not Kind.WEIGHT) or (
                name == "inner" and target.kind.of_attention
            )
            size *= span.count(limit if positions else None)
        sizes.append(1 if random.random() < 0.3 else size)
    return sizes[int(random.integers(len(sizes) + 1)) :] if random.random() < 0.3 else sizes


def _index(random: np.random.Generator, target: Target, prompt: int) -> tuple[Range, ...]:
    if random.random() < 0.1:
        return ()
    if random.random() < 0.5 and any(axis.name for axis in target.axes):
        axes = [axis for axis in target.axes if axis.name]
        if len(target.axes) == 2 and target.heads:
            axes.append(Axis("head", target.heads))
        return tuple(_range(random, axis, prompt, named=True) for axis in axes if random.random() < 0.8)
    return tuple(
        _range(random, axis, prompt, named=False) for axis in target.axes[: 1 + random.integers(len(target.axes))]
    )


def _range(random: np.random.Generator, axis: Axis, prompt: int, *, named: bool) -> Range:
    size, name = prompt if axis.size is None else axis.size, axis.name if named else None
    first = int(random.integers(size))
    if random.random() < 0.4:
        return Range(first - size if random.random() < 0.3 else first, single=True, name=name)
    end = None if random.random() < 0.4 else int(random.integers(first, size)) + 1
    return Range(None if random.random() < 0.3 else first, end, int(random.integers(1, 4)), name=name)


def parsed_again(edit: ResolvedEdit) -> Edit:
    """The edit from its text, and its array."""
    text, _, _ = str(edit.edit).rpartition(f" {edit.edit.value}")
    value = edit.edit.value
    return edit_of((text, value.values)) if isinstance(value, Array) else edit_of(str(edit.edit))
