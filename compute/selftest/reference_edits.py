"""Edits in the float64 model: plain NumPy assignments, with which the kernels are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from compute.edits.resolved import ResolvedEdit
from compute.edits.selection import Span
from compute.edits.targets import Kind

Array = npt.NDArray[np.float64]


def edited_rows(edits: Sequence[ResolvedEdit], name: str, x: Array, first: int) -> Array:
    """The activation x [T, columns] after the edits of `name`. first: position of row 0 in the text."""
    for edit in _of(edits, name, Kind.ACTIVATION):
        x = _matrix(edit, x, first)
    return x


def edited_weight(edits: Sequence[ResolvedEdit], name: str, weight: Array) -> Array:
    """The weight [out, in] or [out] after its edits."""
    for edit in _of(edits, name, Kind.WEIGHT):
        weight = _matrix(edit, weight.reshape(-1, weight.shape[-1]), 0).reshape(weight.shape)
    return weight


def edited_logits(edits: Sequence[ResolvedEdit], name: str, logits: Array, position: int) -> Array:
    """The logits [V] of the token at `position` after their edits."""
    for edit in _of(edits, name, Kind.LOGITS):
        logits = _matrix(edit, logits[None], position)[0]
    return logits


def attention_hooks(
    edits: Sequence[ResolvedEdit], pattern: str, first: int
) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Functions that edit scores and pattern [H, T, T]. first: position of row 0 and key 0 in the text."""
    scores, weights = (list(_of(edits, pattern, kind)) for kind in (Kind.SCORES, Kind.PATTERN))
    return partial(_attention, scores, first), partial(_attention, weights, first)


def _attention(edits: Sequence[ResolvedEdit], first: int, x: Array) -> Array:
    x = x.copy()
    for edit in edits:
        selection, tokens = edit.selection, x.shape[-1]
        heads, rows, keys = (
            selection.outer.numbers(),
            *(_rows(s, first, tokens) for s in (selection.rows, selection.inner)),
        )
        at = np.ix_(heads, [row - first for row in rows], [key - first for key in keys])
        values = _taken(edit, rows, heads, keys).transpose(1, 0, 2)
        x[at] = _after(edit.edit.op, x[at], values)
    return x


def _matrix(edit: ResolvedEdit, x: Array, first: int) -> Array:
    x, selection = x.copy(), edit.selection
    rows, outer, inner = _rows(selection.rows, first, len(x)), selection.outer.numbers(), selection.inner.numbers()
    columns = [selection.base + o * selection.group + i for o in outer for i in inner]
    at = np.ix_([row - first for row in rows], columns)
    values = _taken(edit, rows, outer, inner)
    x[at] = _after(edit.edit.op, x[at], values.reshape(len(rows), len(columns)))
    return x


def _rows(span: Span, first: int, count: int) -> list[int]:
    return [number for number in range(first, first + count) if number in span.numbers(first + count)]


def _taken(edit: ResolvedEdit, rows: Sequence[int], outer: Sequence[int], inner: Sequence[int]) -> Array:
    """The values [rows, outer, inner] for these numbers of the three spans."""
    spans, values = edit.selection.spans(), edit.values.astype(np.float64)
    indices = []
    for span, numbers, size in zip(spans, (rows, outer, inner), values.shape, strict=True):
        indices.append([0 if size == 1 else (number - span.first) // span.step for number in numbers])
    taken: Array = values[np.ix_(*indices)]
    return taken


def _after(op: str, x: Array, values: Array) -> Array:
    return values if op == "=" else x + values if op == "+=" else x * values


def _of(edits: Sequence[ResolvedEdit], point: str, kind: Kind) -> list[ResolvedEdit]:
    return [edit for edit in edits if edit.target.point == point and edit.target.kind is kind]
