"""How each kind of operation computes an element: what to collect on the GPU, and the formula that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.models.operations import (
    Activation,
    Add,
    Alias,
    Attention,
    Gated,
    Gather,
    Head,
    LayerNorm,
    Linear,
    Operation,
    RmsNorm,
    Rope,
    Scale,
)
from compute.models.readings import Form, Reading, readings
from compute.models.tensor_index import TensorIndex, is_inside

from .formula import Formula, Number, Operand, Source, Terms, formula
from .formula_attention import capped, out_plan, pattern_plan, scores_plan
from .formula_elementwise import activation_plan, gated_plan, rope_plan, scale_plan
from .formula_norms import norm_plan, rms_norm_plan
from .formula_text import cell, of, shown
from .formula_work import FormulaWork

Results: TypeAlias = "npt.NDArray[np.float32]"
Plan: TypeAlias = "Callable[[Results], Formula]"  # makes the formula of the results, once they have arrived


_PLANNED = (Alias, Add, Gather, LayerNorm, RmsNorm, Linear, Activation, Gated, Scale, Rope, Attention)


def plan(engine: Engine, work: FormulaWork, element: TensorIndex) -> Plan:
    """Ask `work` for the numbers of an element of an activation or the logits of the latest pass.

    The element may also be one of queries, keys, values or scores, under the names of `compute.models.readings`.
    Raises `UsageError` for anything else.
    """
    description, reading = engine.description, _reading(engine, element.name)
    operation = description.head if reading is None else reading.operation
    shape = formula_shape(engine, element.name)
    if element.count != 1 or not is_inside(element.index, shape):
        raise UsageError(f"{element}: there is no such value; {element.name} is {' x '.join(map(str, shape))}")
    if isinstance(operation, Attention) and reading is not None and reading.name != operation.output:
        if reading.form is Form.SCORES:
            return scores_plan(work, operation, element)
        if reading.form is Form.WHOLE:
            return pattern_plan(work, operation, element)
        assert reading.heads is not None
        row, column = element.index
        element = TensorIndex(reading.source, (row, reading.heads.within(column)))
        operation = description.outputs[reading.source]
    value = work.values(element.name, element.index)
    collected = _plan(engine, work, operation, element)
    return lambda results: collected(results, float(results[value][0]))


def explained(engine: Engine, name: str) -> bool:
    """True when elements of `name` have formulas: activations, what follows from them, and the logits.

    An operation of a kind that has no plan here has none.
    """
    reading = readings(engine.description).get(name)
    return name == engine.description.head.output or (reading is not None and isinstance(reading.operation, _PLANNED))


def _reading(engine: Engine, name: str) -> Reading | None:
    """What `name` reads; None for the logits."""
    if name == engine.description.head.output:
        return None
    reading = readings(engine.description).get(name)
    if reading is None:
        what = "is a weight, which is not computed" if name in engine.description.weights else "no tensor has this name"
        raise UsageError(f"{name}: {what}; formulas are of activations, such as {engine.description.stream[-1]}[0, 0]")
    return reading


def formula_shape(engine: Engine, name: str) -> tuple[int, ...]:
    """The shape in the latest pass of what has formulas. Raises `UsageError` for other names."""
    reading = _reading(engine, name)
    if reading is None:
        return (engine.description.head.columns,)
    return tuple(engine.registry.rows if isinstance(size, str) else size for size in reading.shape())


_Collected: TypeAlias = "Callable[[Results, float], Formula]"


def _plan(engine: Engine, work: FormulaWork, operation: Operation, element: TensorIndex) -> _Collected:
    match operation:
        case Alias():
            return _sum(work, operation, (operation.source,), element)
        case Add():
            return _sum(work, operation, operation.terms, element)
        case Gather():
            return _gather(engine, work, operation, element)
        case LayerNorm():
            return norm_plan(work, operation, element)
        case RmsNorm():
            return rms_norm_plan(work, operation, element)
        case Rope():
            return rope_plan(work, operation, element, engine.registry.first_position)
        case Gated():
            return gated_plan(work, operation, element)
        case Scale():
            return scale_plan(work, operation, element)
        case Linear():
            return _linear(engine, work, operation, element)
        case Activation():
            return activation_plan(work, operation, element)
        case Attention():
            return out_plan(work, operation, element)
    raise UsageError(f"{element}: there is no formula for the operation {operation.kind}")


def _sum(work: FormulaWork, operation: Operation, names: tuple[str, ...], element: TensorIndex) -> _Collected:
    """A sum of activations, or one of them under another name."""
    at = tuple(TensorIndex(name, element.index) for name in names)
    slices = [work.values(one.name, one.index) for one in at]

    def collected(results: Results, value: float) -> Formula:
        values = np.concatenate([results[part] for part in slices])
        terms = Terms(values, np.ones_like(values), values, at, (None,) * len(at))
        operator = " + ".join(shown(one, element) for one in at)
        sources = tuple(cell(one) for one in at)
        return formula(element, operation.kind, operator, value, terms, sources=sources)

    return collected


def _gather(engine: Engine, work: FormulaWork, operation: Gather, element: TensorIndex) -> _Collected:
    """A value of a table, in the row of the token or of the position."""
    row, column = element.index
    if operation.by == "position":
        position = min(engine.registry.first_position + row, operation.table.shape[0] - 1)
        found = work.values(operation.table.name, (position, column))
    else:
        position, found = None, work.token_row(operation.table, row, column)

    def collected(results: Results, value: float) -> Formula:
        index = int(results[found][1]) if position is None else position
        at = TensorIndex(operation.table.name, (index, column))
        values = results[found][:1].copy()
        terms = Terms(values, np.ones_like(values), values, (at,), (None,))
        steps = (Number(operation.by, float(index)),)
        whole = Source(at.name, ((index, index + 1), (0, operation.columns)))
        return formula(
            element, operation.kind, shown(at, element), value, terms, steps=steps, sources=(cell(at),),
            operands=(Operand(whole, np.empty(0, np.float32)),),
        )  # fmt: skip

    return collected


def _linear(engine: Engine, work: FormulaWork, operation: Linear, element: TensorIndex) -> _Collected:
    """A row of the input times a row of the matrix, plus the bias; the head reads the last row of the context."""
    out = element.index[-1]
    row = engine.registry.rows - 1 if isinstance(operation, Head) else element.index[0]
    inputs = operation.weight.shape[1]
    x = work.values(operation.x, (row, 0), inputs)
    weight = work.values(operation.weight.name, (out, 0), inputs)
    products = work.products(x, weight)
    bias_at = None if operation.bias is None else TensorIndex(operation.bias.name, (out,))
    bias = None if bias_at is None else work.values(bias_at.name, bias_at.index)
    left = Source(operation.x, ((row, row + 1), (0, inputs)))
    right = Source(operation.weight.name, ((out, out + 1), (0, inputs)))

    def collected(results: Results, value: float) -> Formula:
        constants = () if bias is None else (Number("bias", float(results[bias][0]), bias_at),)
        terms = Terms(results[x].copy(), results[weight].copy(), results[products].copy(), left, right)
        added = "" if bias_at is None else f"{shown(bias_at, element)} + "
        operands = (Operand(left, terms.left_values), Operand(right, terms.right_values))
        operator = f"{added}sum of {of(left, element)} * {of(right, element)}"
        if isinstance(operation, Head) and operation.cap:
            return capped(element, operation.kind, operation.cap, operator, value, terms, operands, constants)
        sources = (left, right, *(() if bias_at is None else (cell(bias_at),)))
        return formula(
            element, operation.kind, operator, value, terms, constants=constants, sources=sources, operands=operands
        )

    return collected
