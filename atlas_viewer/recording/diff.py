"""Compares two runs: where their tokens diverge, and how much their numbers differ until then."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from compute.generate.steps import StepRecord
from compute.lens.lens_cells import LensCells
from compute.views.statistics_table import STATISTICS

from .compare import Difference, logits_difference, statistics_difference, steps_difference
from .compare_lens import lens_difference
from .edit_records import edit_differences
from .reader import Recording
from .records import RecordedStep, RecordedTensor, RunInfo


@dataclass(frozen=True)
class StepDiff:
    """One step of both runs. `figures` is the largest difference in logits and probabilities, `statistics` the largest
    relative difference in statistics, `lens` in the lens, None unless both runs recorded them."""

    step: int
    tokens: tuple[int | None, int | None]  # None: that run has no such step
    texts: tuple[str, str]
    probabilities: tuple[float, float]
    figures: Difference
    statistics: Difference | None
    lens: Difference | None

    @property
    def same(self) -> bool:
        """True if no recorded value differs."""
        return (
            self.tokens[0] == self.tokens[1]
            and self.figures.same
            and (self.statistics is None or self.statistics.same)
            and (self.lens is None or self.lens.same)
        )


@dataclass(frozen=True)
class RunDiff:
    """`head`: what differs before the first step, in words. `steps` ends with the one at which the tokens diverge."""

    head: tuple[str, ...]
    steps: tuple[StepDiff, ...]
    parted: int | None  # the first step with different tokens

    @property
    def same(self) -> bool:
        """True if both are the same run with the same numbers."""
        return not self.head and all(step.same for step in self.steps)


def diff_runs(one: Recording, run: RunInfo, other: Recording, other_run: RunInfo) -> RunDiff:
    """Compare two runs step by step until their tokens diverge; after that, the texts differ."""
    names, shared = _shared_tensors(one, other)
    steps: list[StepDiff] = []
    parted = None
    changes: list[str] = []  # of the edits between steps
    before: tuple[object, object] | None = None
    for left, right in zip_longest(one.steps(run), other.steps(other_run)):
        if left is None or right is None:
            steps.append(_ended(len(steps), left, right))
            parted = len(steps) - 1
            break
        a, b = left.record, right.record
        if (left.edits, right.edits) != before:
            if before is not None:
                changes += [f"from step {a.index + 1}: {line}" for line in edit_differences(left.edits, right.edits)]
            before = left.edits, right.edits
        figures = _figures(one, run, a, other, other_run, b)
        statistics = _statistics(one, run, other, other_run, a.index, names, shared)
        steps.append(
            StepDiff(
                a.index, (a.token, b.token), (a.text, b.text), (a.model_probability, b.model_probability),
                figures, statistics, _lens(one.lens(run, a), other.lens(other_run, b)),
            )
        )  # fmt: skip
        if a.token != b.token:
            parted = a.index
            break
    return RunDiff((*_head(one, run, other, other_run), *changes), tuple(steps), parted)


def _ended(step: int, left: RecordedStep | None, right: RecordedStep | None) -> StepDiff:
    """The difference at a step that only one of the runs has."""

    def side(known: RecordedStep | None) -> tuple[int | None, str, float]:
        record = known.record if known else None
        return (record.token, record.text, record.model_probability) if record else (None, "", float("nan"))

    (token, text, probability), (other, other_text, other_probability) = side(left), side(right)
    apart = Difference(float("inf"), "one run has ended", same=False)
    return StepDiff(step, (token, other), (text, other_text), (probability, other_probability), apart, None, None)


def _figures(
    one: Recording, run: RunInfo, a: StepRecord, other: Recording, other_run: RunInfo, b: StepRecord
) -> Difference:
    whole = steps_difference(a, b, None)
    logits, others = one.logits(run, a.index), other.logits(other_run, b.index)
    if logits is None or others is None or logits.shape != others.shape:
        return whole
    coarse, fine = sorted((logits, others), key=lambda array: array.dtype.itemsize)
    return whole.joined(logits_difference(coarse, fine))


def _statistics(
    one: Recording,
    run: RunInfo,
    other: Recording,
    other_run: RunInfo,
    step: int,
    names: list[str],
    shared: tuple[list[int], list[int]],
) -> Difference | None:
    table, others = one.statistics(run, step), other.statistics(other_run, step)
    if table is None or others is None or not names:
        return None
    return statistics_difference(names, _rows(table, shared[0]), _rows(others, shared[1]))


def _lens(one: LensCells | None, other: LensCells | None) -> Difference | None:
    return None if one is None or other is None else lens_difference(one, other)


def _rows(table: np.ndarray, rows: list[int]) -> np.ndarray:
    return np.ascontiguousarray(table[rows], STATISTICS)


def _shared_tensors(one: Recording, other: Recording) -> tuple[list[str], tuple[list[int], list[int]]]:
    def rows(tensors: list[RecordedTensor]) -> dict[str, int]:
        return {tensor.name: number for number, tensor in enumerate(tensors)}

    mine, theirs = rows(one.live), rows(other.live)
    names = [name for name in mine if name in theirs]
    return names, ([mine[name] for name in names], [theirs[name] for name in names])


def _head(one: Recording, run: RunInfo, other: Recording, other_run: RunInfo) -> list[str]:
    a, b = one.head, other.head
    pairs = {
        "model": (a.model, b.model),
        "architecture": (a.config.architecture, b.config.architecture),
        "weights": (a.weights_sha256[:12], b.weights_sha256[:12]),
        "precision": (a.weights, b.weights),
        "adapter": (a.adapter, b.adapter),
        "kernels": (a.kernels, b.kernels),
        "program": (a.program, b.program),
        "shaders": (a.shaders_sha256[:12], b.shaders_sha256[:12]),
    }
    differences = [f"{what}: {mine} | {theirs}" for what, (mine, theirs) in pairs.items() if mine != theirs]
    if run.prompt_tokens != other_run.prompt_tokens:
        differences.append(f"prompt: {len(run.prompt_tokens)} tokens | {len(other_run.prompt_tokens)} tokens")
    mine, theirs = run.options.as_json(), other_run.options.as_json()
    differences += [f"{name}: {mine[name]} | {theirs[name]}" for name in mine if mine[name] != theirs[name]]
    lens, others = one.lens_steps(run), other.lens_steps(other_run)
    if lens.steps and others.steps and lens.file != others.file:
        differences.append(f"lens file: {lens.file or 'none'} | {others.file or 'none'}")
    return [*differences, *edit_differences(run.edits, other_run.edits)]
