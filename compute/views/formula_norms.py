"""Formulas of norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compute.models.operations import LayerNorm, RmsNorm
from compute.models.tensor_index import TensorIndex

from .formula import Formula, Number, Operand, Source, Terms, formula
from .formula_text import cell, shown
from .formula_work import FormulaWork

Results: TypeAlias = "npt.NDArray[np.float32]"
Collected: TypeAlias = "Callable[[Results, float], Formula]"


def norm_plan(work: FormulaWork, operation: LayerNorm, element: TensorIndex) -> Collected:
    """The value minus the mean, over the deviation, times the scale, plus the shift."""
    row, column = element.index
    x = work.values(operation.x, (row, 0), operation.columns)
    norm = work.norm(x, column, operation.epsilon)
    scale_at, at = TensorIndex(operation.scale.name, (column,)), TensorIndex(operation.x, element.index)
    normalized = slice(norm.start + 2, norm.stop)
    scale = work.values(scale_at.name, scale_at.index)
    product = work.products(normalized, scale)
    shift_at = None if operation.shift is None else TensorIndex(operation.shift.name, (column,))
    shift = None if shift_at is None else work.values(shift_at.name, shift_at.index)

    def collected(results: Results, value: float) -> Formula:
        constants = () if shift is None else (Number("shift", float(results[shift][0]), shift_at),)
        mean, deviation, _ = (float(part) for part in results[norm])
        steps = (
            Number("input", float(results[x][column]), at),
            Number("mean", mean),
            Number("deviation", deviation),
        )
        terms = Terms(results[normalized].copy(), results[scale].copy(), results[product].copy(), (at,), (scale_at,))
        added = "" if shift_at is None else f" + {shown(shift_at, element)}"
        operator = f"({shown(at, element)} - mean) / deviation * {shown(scale_at, element)}{added}"
        # The mean is subtracted again, in another order of additions.
        slack = 8 * largest(results[x]) / deviation * abs(float(results[scale][0])) if deviation else 0.0
        whole = Source(operation.x, ((row, row + 1), (0, operation.columns)))
        sources = (whole, cell(scale_at), *(() if shift_at is None else (cell(shift_at),)))
        operands = (Operand(whole, results[x].copy()),)
        return formula(
            element, operation.kind, operator, value, terms, constants=constants, steps=steps, sources=sources,
            operands=operands, slack=slack,
        )  # fmt: skip

    return collected


def rms_norm_plan(work: FormulaWork, operation: RmsNorm, element: TensorIndex) -> Collected:
    """The value over the root mean square of its group of columns, times the scale."""
    row, column = element.index
    group, within = divmod(column, operation.size)
    first = group * operation.size
    x = work.values(operation.x, (row, first), operation.size)
    norm = work.norm(x, within, operation.epsilon, centered=False)
    scale_at, at = TensorIndex(operation.scale.name, (within,)), TensorIndex(operation.x, element.index)
    scale = work.values(scale_at.name, scale_at.index)

    def collected(results: Results, value: float) -> Formula:
        _, root, normalized = (float(part) for part in results[norm])
        factor = results[scale] + np.float32(operation.offset)
        steps = (Number("input", float(results[x][within]), at), Number("root mean square", root))
        left = np.array([normalized], np.float32)
        terms = Terms(left, factor, left * factor, (at,), (scale_at,))
        times = (
            shown(scale_at, element) if not operation.offset else f"({operation.offset:g} + {shown(scale_at, element)})"
        )
        whole = Source(operation.x, ((row, row + 1), (first, first + operation.size)))
        return formula(
            element, operation.kind, f"{shown(at, element)} / root mean square * {times}", value, terms, steps=steps,
            sources=(whole, cell(scale_at)), operands=(Operand(whole, results[x].copy()),),
            slack=8 * abs(normalized * float(factor[0])),
        )  # fmt: skip

    return collected


def largest(values: Results) -> float:
    """The largest magnitude; NaN if there is one."""
    return float(np.abs(values).max(initial=0.0))
