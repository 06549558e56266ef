"""From edits as written to edits that can be applied to one text: targets, positions, and values from everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from compute.models.description import Description

from .array_values import file_array, file_row
from .grammar import Edit
from .resolved import Placed, ResolvedEdit, place, with_aligned, with_row, with_values
from .targets import Target, Targets
from .values import Array, ArrayFile, FileMean, FromRun, Mean, Number


class ValueSource(Protocol):
    """Computes values that come from a pass of the model."""

    def prompt_rows(self, target: Target, edits: Sequence[ResolvedEdit]) -> np.ndarray:
        """The target in a pass over the prompt with `edits`: float32 [tokens, columns]."""

    def recorded_rows(self, edit: Edit, value: FromRun, target: Target) -> tuple[np.ndarray, int]:
        """The target in the pass of a recorded step, and the position of its first token in the text.

        float32 [tokens, columns] or [heads, query, key]. Raises `AtlasError`s.
        """


def place_all(edits: Sequence[Edit], description: Description, prompt: int, limit: int | None) -> list[Placed]:
    """The edits with their targets and selections. See `resolve`."""
    targets = Targets(description)
    return [place(edit, targets.find(edit.target), prompt, limit) for edit in edits]


def resolve(
    edits: Sequence[Edit], description: Description, prompt: int, limit: int | None, source: ValueSource
) -> tuple[ResolvedEdit, ...]:
    """The edits for a text whose prompt has `prompt` tokens and that never has more than `limit`.

    Raises `TensorNameError`, `UsageError`, and `CheckpointError` for files that cannot be read, in one line; what
    `source` raises.
    """
    placed = place_all(edits, description, prompt, limit)
    resolved = {i: _with_value(one, source) for i, one in enumerate(placed) if not isinstance(one.edit.value, Mean)}
    order = {name: number for number, name in enumerate(description.outputs)}
    # In the order in which the model runs: no edit changes a tensor that is computed before its own.
    means = sorted(
        (order[one.target.point], i, one.edit.value.scale)
        for i, one in enumerate(placed)
        if isinstance(one.edit.value, Mean)
    )
    for _, i, scale in means:
        others = [resolved[j] for j in sorted(resolved)]
        rows = source.prompt_rows(placed[i].target, others)
        mean = rows.mean(axis=0, dtype=np.float64) * scale
        resolved[i] = with_row(placed[i], mean.astype(np.float32))
    return tuple(resolved[i] for i in range(len(placed)))


def _with_value(placed: Placed, source: ValueSource) -> ResolvedEdit:
    match placed.edit.value:
        case Number(value=value):
            return with_values(placed, np.asarray(value, np.float32))
        case Array(values=values):
            return with_values(placed, values)
        case ArrayFile() as file:
            return with_values(placed, file_array(placed.edit, file))
        case FileMean() as file:
            return with_row(placed, _times(file_row(placed.edit, file, placed.target), file.scale))
        case FromRun() as run:
            rows, start = source.recorded_rows(placed.edit, run, placed.target)
            return with_aligned(placed, _times(rows, run.scale), start, f"step {run.step}")
    raise TypeError(f"{placed.edit}: has no value yet")


def _times(values: np.ndarray, scale: float) -> np.ndarray:
    """The values times a factor, float32; those that become too large are infinite."""
    if scale == 1:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        return (values.astype(np.float64) * scale).astype(np.float32)
