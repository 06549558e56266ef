"""Edits of one text by a given model: every position and value is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compute.errors import UsageError

from .grammar import Edit
from .selection import Selection, Span, select
from .targets import Kind, Target
from .values import Mean, Number

__all__ = ["Placed", "ResolvedEdit", "place", "with_aligned", "with_row", "with_values"]


@dataclass(frozen=True)
class Placed:
    """An edit whose target and selection are known, but not yet its values. limit: see `select`."""

    edit: Edit
    target: Target
    selection: Selection
    limit: int | None


@dataclass(frozen=True, eq=False)
class ResolvedEdit:
    """An edit that can be applied. values: float32 [rows, outer, inner], where an axis of 1 stands for all.

    sequence: the one text of a batch that it applies to, by its number; None for all.
    """

    edit: Edit
    target: Target
    selection: Selection
    values: np.ndarray
    sequence: int | None = None

    def __str__(self) -> str:
        return str(self.edit)

    def same(self, other: ResolvedEdit) -> bool:
        """True when both change the same values in the same way."""
        mine, theirs = (self.edit.op, self.target.kind, self.target.point, self.sequence), (
            other.edit.op, other.target.kind, other.target.point, other.sequence,
        )  # fmt: skip
        return mine == theirs and self.selection == other.selection and np.array_equal(self.values, other.values)

    def only_in(self, sequence: int) -> ResolvedEdit:
        """The same edit for one text of a batch. Only of tensors with a row for every token of the batch."""
        if self.target.kind in (Kind.WEIGHT, Kind.LOGITS):
            raise ValueError(f"{self}: applies to all texts of a batch")
        return replace(self, sequence=sequence)

    @property
    def first_row(self) -> int | None:
        """The first position whose cached row the edit may change, in the text; None when it changes none."""
        empty = any(span.first >= span.end for span in self.selection.spans())
        if self.target.kind is Kind.LOGITS or empty:
            return None
        return 0 if self.target.kind is Kind.WEIGHT else self.selection.rows.first


def place(edit: Edit, target: Target, prompt: int, limit: int | None) -> Placed:
    """The edit with its selection; checks a number at once. prompt, limit: see `select`. Raises `UsageError`."""
    selection = select(edit, target, prompt, limit)
    value = edit.value
    if isinstance(value, Number) and np.isinf(value.value):
        settable = target.kind in (Kind.SCORES, Kind.LOGITS) and value.value < 0
        if not settable or edit.op == "*=":
            raise UsageError(
                f"edit {edit.shown}: infinity is not a value here; only attn.scores and logits can become -inf"
            )
    if isinstance(value, Mean) and target.kind not in (Kind.ACTIVATION, Kind.LOGITS):
        raise UsageError(
            f"edit {edit.shown}: {target.name} has no row per token, so it has no mean; give a number or array"
        )
    return Placed(edit, target, selection, limit)


def with_values(placed: Placed, values: np.ndarray) -> ResolvedEdit:
    """The edit with `values`, broadcast as in NumPy to what it selects. Raises `UsageError` when they do not fit."""
    selection = placed.selection
    array = np.asarray(values, np.float32)
    if not isinstance(placed.edit.value, Number):
        _check_finite(placed, array)
    wanted = [_count(placed, names) for names in selection.axes]
    given = [1] * (len(wanted) - array.ndim) + list(array.shape)
    fits = len(given) == len(wanted) and all(
        have == 1 or have == want for have, want in zip(given, wanted, strict=True)
    )
    if not fits:
        shape = " x ".join(map(str, array.shape))
        raise UsageError(
            f"edit {placed.edit.shown}: the values are {shape}, but the edit selects {_wanted_text(placed, wanted)} of"
            f" {placed.target.name}, which is {placed.target.shape_text}"
        )
    return ResolvedEdit(placed.edit, placed.target, selection, _arranged(selection, array.reshape(given)))


def with_row(placed: Placed, row: np.ndarray) -> ResolvedEdit:
    """The edit with one row of its target, [columns], for every selected row. Raises `UsageError`."""
    _check_finite(placed, row)
    selection = placed.selection
    parts = row.reshape(1, -1, selection.group)
    taken = parts[np.ix_([0], selection.outer.numbers(), selection.inner.numbers())]
    return ResolvedEdit(placed.edit, placed.target, selection, np.ascontiguousarray(taken, np.float32))


def with_aligned(placed: Placed, values: np.ndarray, start: int, source: str) -> ResolvedEdit:
    """The edit with the values that a tensor of its target's shape has at the same index.

    values: [tokens, columns of the target] or [heads, query, key], tokens from position `start` of the text on. source:
    begins messages, and says where they come from.
    """
    selection, tokens = placed.selection, values.shape[-2]
    rows = selection.rows
    last = rows.numbers(placed.limit) if rows.count(placed.limit) is not None else range(0)
    if rows.count(placed.limit) is None or (len(last) and not start <= last[0] <= last[-1] < start + tokens):
        raise UsageError(
            f"edit {placed.edit.shown}: {source} has rows {start} to {start + tokens - 1}; select only these positions"
        )
    if not placed.target.kind.of_attention:  # scores of later keys are -inf
        _check_finite(placed, values)
    inner = selection.inner
    if placed.target.kind.of_attention:
        keys = _aligned_keys(placed, inner, start, tokens, source)
        taken = values[np.ix_(selection.outer.numbers(), [row - start for row in last], keys)].transpose(1, 0, 2)
    else:
        parts = values.reshape(tokens, -1, selection.group)
        taken = parts[np.ix_([row - start for row in last], selection.outer.numbers(), inner.numbers())]
    return ResolvedEdit(placed.edit, placed.target, selection, np.ascontiguousarray(taken, np.float32))


def _aligned_keys(placed: Placed, keys: Span, start: int, tokens: int, source: str) -> list[int]:
    numbers = keys.numbers(start + tokens)
    if (keys.count() is not None and len(keys.numbers()) != len(numbers)) or (len(numbers) and numbers[0] < start):
        raise UsageError(
            f"edit {placed.edit.shown}: {source} has keys {start} to {start + tokens - 1}; select only these positions"
        )
    return [key - start for key in numbers]


def _check_finite(placed: Placed, values: np.ndarray) -> None:
    if np.isnan(values).any():
        raise UsageError(f"edit {placed.edit.shown}: the values contain NaN; give finite numbers")
    if np.isinf(values).any():
        raise UsageError(
            f"edit {placed.edit.shown}: the values contain infinity or exceed float32; give finite numbers"
        )


def _count(placed: Placed, names: Sequence[str]) -> int | None:
    """Size of an axis of the selection; None when it grows with the text."""
    kind, total = placed.target.kind, 1
    for name in names:
        span: Span = getattr(placed.selection, name)
        positions = (name == "rows" and kind is not Kind.WEIGHT) or (name == "inner" and kind.of_attention)
        count = span.count(placed.limit if positions else None)
        if count is None:
            return None
        total *= count
    return total


def _wanted_text(placed: Placed, wanted: Sequence[int | None]) -> str:
    return " x ".join("tokens" if size is None else str(size) for size in wanted) or "one value"


def _arranged(selection: Selection, array: np.ndarray) -> np.ndarray:
    """`array`, with an axis for each of the selection's, as [rows, outer, inner]."""
    sizes: dict[str, int] = {}  # in the order of the array's axes
    for names, size in zip(selection.axes, array.shape, strict=True):
        for name in names:
            span: Span = getattr(selection, name)
            sizes[name] = size if len(names) == 1 else (span.count() or 0) if size > 1 else 1
    wanted = ("rows", "outer", "inner")
    order = [list(sizes).index(name) for name in wanted if name in sizes]
    moved = array.reshape(list(sizes.values())).transpose(order)
    return np.ascontiguousarray(moved.reshape([sizes.get(name, 1) for name in wanted]))
