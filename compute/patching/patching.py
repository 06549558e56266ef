"""Activation patching: what a prediction takes from each part of the model, position by position or head by head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.gpu.slices import Sliced

from .cells import Cells, rounding, stream_targets
from .sweep import Outcome, Progress, Sweep

COPIES_ROUNDED = 4
_SEED = 0  # of the random vectors and roundings


@dataclass(frozen=True)
class PatchedCells:
    """Arrays [layers, positions or heads]. value: what was measured with the cell patched, NaN where it is not finite.

    changed: int64, how many values of the activation the patch changed. control: as `value`, with random vectors.
    itself: the largest change by patching the run with itself. rounded: the largest change by rounding.
    """

    value: np.ndarray
    changed: np.ndarray
    control: np.ndarray | None
    itself: float
    rounded: float


def patched(
    sweep: Sweep,
    cells: Cells,
    base: Mapping[str, np.ndarray],
    source: Mapping[str, np.ndarray],
    measured: float,
    *,
    control: bool,
    progress: Progress | None,
) -> Sliced[PatchedCells]:
    """Every cell of the run with its values from another run.

    base, source: the activations of the run and of the other one, [tokens, columns] by `cells.names`; measured: the
    number of the run without patches.
    """
    itself = [(layer, layer % cells.shape[1]) for layer in range(cells.shape[0])]
    count = cells.shape[0] * cells.shape[1]
    total = len(itself) + COPIES_ROUNDED + (2 if control else 1) * count
    # In one sweep, because a program is built for each.
    copies = itertools.chain(
        ([cells.setting(cell, _values(cells, base, cell))] for cell in itself),
        ([cells.setting(cell, _values(cells, source, cell))] for cell in cells),
        _controls(cells, base, source) if control else (),
    )
    found = yield from sweep.run(copies, 0, total, progress)
    same, main, random = found[: len(itself)], found[len(itself) :][:count], found[len(itself) + count :]
    error = yield from rounding_error(sweep, measured, len(found), total, progress)
    return PatchedCells(
        value=_array(cells, main),
        changed=np.array([outcome.changed for outcome in main]).reshape(cells.shape),
        control=_array(cells, random) if control else None,
        itself=largest(same, measured),
        rounded=error,
    )


def rounding_error(sweep: Sweep, measured: float, done: int, total: int, progress: Progress | None) -> Sliced[float]:
    """How much the number changes when every value of the residual stream is rounded the other way, at random."""
    random, targets = np.random.default_rng(_SEED), stream_targets(sweep.engine.description)
    copies = [rounding(targets, random, len(sweep.tokens)) for _ in range(COPIES_ROUNDED)]
    slots = [edit.target.slot for edit in copies[0]]
    outcomes = yield from replace(sweep, slots=slots).run(copies, done, total, progress)
    return largest(outcomes, measured)


def largest(outcomes: Sequence[Outcome], measured: float) -> float:
    """The largest distance from the number of the unchanged run; NaN when one is not finite."""
    apart = [abs(outcome.value - measured) for outcome in outcomes]
    return max(apart) if all(map(math.isfinite, apart)) else math.nan


def _values(cells: Cells, arrays: Mapping[str, np.ndarray], cell: tuple[int, int]) -> np.ndarray:
    return cells.part(cell, arrays[cells.names[cell[0]]])


def _controls(
    cells: Cells, base: Mapping[str, np.ndarray], source: Mapping[str, np.ndarray]
) -> Iterator[list[ResolvedEdit]]:
    """Instead of the patch's change, a random vector that is as long, in each row."""
    random = np.random.default_rng(_SEED)
    for cell in cells:
        before = _values(cells, base, cell).astype(np.float64)
        change = _values(cells, source, cell) - before
        vector = random.normal(size=change.shape)
        length = np.linalg.norm(change, axis=-1, keepdims=True)
        vector *= length / np.linalg.norm(vector, axis=-1, keepdims=True)
        yield [cells.setting(cell, (before + vector).astype(np.float32))]


def _array(cells: Cells, outcomes: Sequence[Outcome]) -> np.ndarray:
    values = np.array([outcome.value for outcome in outcomes], np.float64).reshape(cells.shape)
    values[~np.isfinite(values)] = np.nan
    return values
