"""What formula cards say about edited values: the formula gives the value before the edits, which then change it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.edits.selection import Span
from compute.views.formula import Formula

from .edited_places import edits_of_element
from .formula_text import difference, number
from .state import State


def edits_of(state: State, found: Formula) -> list[ResolvedEdit]:
    """The edits that changed the element of a formula, in order."""
    return edits_of_element(state, found.element)


def lines(edits: Sequence[ResolvedEdit]) -> list[str]:
    """A line for each edit."""
    return [f"edited by {edit}" for edit in edits]


def foot(found: Formula, edits: Sequence[ResolvedEdit], start: int) -> str:
    """The sum in words: how far it is from the value, or from what the edits made of it.

    start: index in the text of the first row.
    """
    if not edits:
        return f"sum: {difference(found)}"
    expected = after(edits, found.element.index, start, found.total)
    slack = found.rounding if math.isfinite(found.rounding) else 0.0
    slack = max(slack * max(1.0, abs(_factor(edits, found.element.index, start))), 1e-6 * abs(expected))
    if abs(expected - found.value) <= slack:
        return f"before the edit; after it {number(found.value)}"
    return f"before the edit, which should give {number(expected)}"


def after(edits: Sequence[ResolvedEdit], index: Sequence[int], start: int, value: float) -> float:
    """What the edits make of a value in float32. start: see `foot`."""
    current = np.float32(value)
    with np.errstate(all="ignore"):
        for edit in edits:
            operand = np.float32(operand_of(edit, index, start))
            match edit.edit.op:
                case "=":
                    current = operand
                case "+=":
                    current = np.float32(current + operand)
                case _:
                    current = np.float32(current * operand)
    return float(current)


def operand_of(edit: ResolvedEdit, index: Sequence[int], start: int) -> float:
    """The number by which the edit sets, adds to or multiplies the value at `index` of its tensor."""
    selection, group = edit.selection, max(edit.selection.group, 1)
    if edit.target.kind.of_attention:
        outer, row, inner = index[0], index[1] + start, index[2] + start
    else:
        row = index[0] + start if len(index) > 1 else selection.rows.first
        outer, inner = divmod(index[-1] - selection.base, group)
    numbers = ((row, selection.rows), (outer, selection.outer), (inner, selection.inner))
    at = tuple(_index(one, span, size) for (one, span), size in zip(numbers, edit.values.shape, strict=True))
    return float(edit.values[at])


def _index(number: int, span: Span, size: int) -> int:
    return 0 if size == 1 else (number - span.first) // span.step


def _factor(edits: Sequence[ResolvedEdit], index: Sequence[int], start: int) -> float:
    return math.prod(operand_of(edit, index, start) for edit in edits if edit.edit.op == "*=")
