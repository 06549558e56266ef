"""Formulas of operations on one or two elements: activation functions, gates, rotations, factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compute.models.operations import Activation, Gated, Rope, Scale
from compute.models.tensor_index import TensorIndex

from .formula import Formula, Number, Terms, formula
from .formula_text import cell, shown
from .formula_work import FormulaWork

Results: TypeAlias = "npt.NDArray[np.float32]"
Collected: TypeAlias = "Callable[[Results, float], Formula]"


def activation_plan(work: FormulaWork, operation: Activation, element: TensorIndex) -> Collected:
    """The input times the share of it that the function lets through."""
    at = TensorIndex(operation.x, element.index)
    x = work.values(at.name, at.index)
    both = work.activation(x, operation.function)

    def collected(results: Results, value: float) -> Formula:
        share, product = results[both][:1].copy(), results[both][1:].copy()
        steps = (Number("input", float(results[x][0]), at),)
        terms = Terms(results[x].copy(), share, product, (at,), (None,))
        operator = f"{operation.function}({shown(at, element)})"
        slack = _activation_slack(float(results[x][0]), float(product[0]))
        return formula(element, operation.kind, operator, value, terms, steps=steps, sources=(cell(at),), slack=slack)

    return collected


def _activation_slack(x: float, product: float) -> float:
    """For `Formula.rounding`: the exponent of GELU, 1.6 x + 0.07 x^3, multiplies its rounding."""
    return 4 * abs(product) * (1.6 * abs(x) + 0.072 * min(abs(x), 1e6) ** 3)


def gated_plan(work: FormulaWork, operation: Gated, element: TensorIndex) -> Collected:
    """The function of the gate times the neuron."""
    at, up_at = TensorIndex(operation.x, element.index), TensorIndex(operation.up, element.index)
    x, up = work.values(at.name, at.index), work.values(up_at.name, up_at.index)
    both = work.activation(x, operation.function)

    def collected(results: Results, value: float) -> Formula:
        passed = results[both][1:].copy()
        steps = (Number("gate", float(results[x][0]), at), Number(f"{operation.function}(gate)", float(passed[0])))
        terms = Terms(passed, results[up].copy(), passed * results[up], (at,), (up_at,))
        operator = f"{operation.function}({shown(at, element)}) * {shown(up_at, element)}"
        slack = (1 + abs(float(results[up][0]))) * _activation_slack(float(results[x][0]), float(passed[0]))
        return formula(
            element, operation.kind, operator, value, terms, steps=steps, sources=(cell(at), cell(up_at)), slack=slack
        )

    return collected


def scale_plan(work: FormulaWork, operation: Scale, element: TensorIndex) -> Collected:
    """The input times a constant."""
    at = TensorIndex(operation.x, element.index)
    x = work.values(at.name, at.index)

    def collected(results: Results, value: float) -> Formula:
        factor = np.array([operation.factor], np.float32)
        terms = Terms(results[x].copy(), factor, results[x] * factor, (at,), (None,))
        operator = f"{shown(at, element)} * {operation.factor:.6g}"
        return formula(element, operation.kind, operator, value, terms, sources=(cell(at),))

    return collected


def rope_plan(work: FormulaWork, operation: Rope, element: TensorIndex, first_position: int) -> Collected:
    """Two channels of a head times the cosine and the sine of the angle; a channel outside of pairs stays."""
    row, column = element.index
    head, channel = divmod(column, operation.x.size)
    pair = operation.pair(channel)
    channels = (channel,) if pair is None else pair[1:]
    at = tuple(TensorIndex(operation.x.source, (row, operation.x.column(head, one))) for one in channels)
    slices = [work.values(one.name, one.index) for one in at]
    position = first_position + row
    angle = 0.0 if pair is None else position * operation.frequencies[pair[0]]
    cosine, sine = math.cos(angle), math.sin(angle)
    second = pair is not None and channel == pair[2]
    factors = np.array([1.0] if pair is None else [sine, cosine] if second else [cosine, -sine], np.float32)

    def collected(results: Results, value: float) -> Formula:
        values = np.concatenate([results[part] for part in slices])
        terms = Terms(values, factors, values * factors, at, (None,) * len(at))
        names = [shown(one, element) for one in at]
        sources = tuple(cell(one) for one in at)
        if pair is None:
            return formula(element, operation.kind, names[0], value, terms, sources=sources)
        steps = (Number("position", float(position)), Number("angle", angle))
        operator = f"{names[0]} * cos - {names[1]} * sin"
        if second:
            operator = f"{names[0]} * sin + {names[1]} * cos"
        slack = 4 * float(np.abs(values).sum())
        return formula(element, operation.kind, operator, value, terms, steps=steps, sources=sources, slack=slack)

    return collected
