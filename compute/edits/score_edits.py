"""Edits of attention scores in NumPy, for scores that are computed there from kept queries and keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .resolved import ResolvedEdit
from .selection import Span
from .targets import Kind


def edit_scores(edits: Sequence[ResolvedEdit], pattern: str, scores: np.ndarray, first_row: int, start: int) -> None:
    """Change scores [heads, queries, keys] in place as attention did whose pattern has this name.

    first_row: row of the context that query 0 is; start: position of key 0 in the text.
    """
    _, queries, keys = scores.shape
    for edit in edits:
        if edit.target.kind is not Kind.SCORES or edit.target.point != pattern:
            continue
        selection, size = edit.selection, edit.values.shape
        rows, i = _within(selection.rows, start + first_row, queries, size[0])
        columns, k = _within(selection.inner, start, keys, size[2])
        heads = list(selection.outer.numbers())
        at = np.ix_(heads, rows, columns)
        values = edit.values[np.ix_(i, list(range(len(heads))) if size[1] > 1 else [0] * len(heads), k)].transpose(
            1, 0, 2
        )
        match edit.edit.op:
            case "=":
                scores[at] = values
            case "+=":
                scores[at] += values
            case _:
                scores[at] *= values


def _within(span: Span, first: int, count: int, size: int) -> tuple[list[int], list[int]]:
    """Indices from `first` on of the numbers of a span, and of their values, of which there are `size`."""
    numbers = [n for n in range(first, first + count) if n in span.numbers(first + count)]
    values = [0 if size == 1 else (n - span.first) // span.step for n in numbers]
    kept = [index for index, value in enumerate(values) if value < size]
    return [numbers[index] - first for index in kept], [values[index] for index in kept]
