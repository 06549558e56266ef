"""Formulas of attention: its scores, its weights, and the values that it mixes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from compute.models.operations import Attention
from compute.models.tensor_index import TensorIndex

from .formula import Formula, Number, Operand, Source, Terms, formula
from .formula_text import of
from .formula_work import FormulaWork, score_scale

Results = npt.NDArray[np.float32]


def out_plan(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results, float], Formula]:
    """The weights of all keys that a query sees times their values."""
    query, column = element.index
    head, keys, third = column // attention.head_size, query + 1, 2 * attention.columns + column
    scores, _, weights, _ = work.softmax(attention, head, query)
    values = work.values(attention.qkv, (0, third), keys, 3 * attention.columns)
    products = work.products(weights, values)
    left = Source(attention.pattern, ((head, head + 1), (query, query + 1), (0, keys)))
    right = Source(attention.qkv, ((0, keys), (third, third + 1)))

    def collected(results: Results, value: float) -> Formula:
        terms = Terms(results[weights].copy(), results[values].copy(), results[products].copy(), left, right)
        operator = f"sum of {of(left, element, whole=False)} * {of(right, element, whole=False)}"
        operands = (Operand(left, terms.left_values), Operand(right, terms.right_values))
        slack = _slack(results[scores], float(np.abs(terms.products).sum()))
        return formula(
            element, attention.kind, operator, value, terms, sources=(left, right), operands=operands, slack=slack
        )

    return collected


def scores_plan(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results], Formula]:
    """A query times a key / sqrt(head size); -inf for a later key."""
    head, query, key = element.index
    if key > query:
        return lambda results: _masked(element, "scores", -math.inf)
    scores, _, _, _ = work.softmax(attention, head, query)
    products = _score(work, attention, element)
    return lambda results: products(results, float(results[scores][key]))


def pattern_plan(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results], Formula]:
    """exp(score - largest score) over the sum of these for all keys that the query sees; 0 for a later key."""
    head, query, key = element.index
    if key > query:
        return lambda results: _masked(element, "pattern", 0.0)
    value = work.pattern(attention, head, query, key)
    scores, exponentials, weights, extremes = work.softmax(attention, head, query)
    score_at = TensorIndex(_scores_name(attention), element.index)
    inner = _score(work, attention, score_at)

    def collected(results: Results) -> Formula:
        largest, total = (float(part) for part in results[extremes])
        score, exponential = float(results[scores][key]), results[exponentials][key : key + 1].copy()
        steps = (
            Number("score", score),
            Number("largest score", largest),
            Number("exp(score - largest)", float(exponential[0])),
            Number("sum over keys", total),
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.float32(1) / results[extremes][1:]
        terms = Terms(exponential, share, results[weights][key : key + 1].copy(), (None,), (None,))
        row = Source(attention.pattern, ((head, head + 1), (query, query + 1), (0, query + 1)))
        scored = inner(results, score)
        return formula(
            element, "pattern", "exp(score - largest) / sum over keys of exp(score - largest)",
            float(results[value][0]), terms, steps=steps, sources=scored.sources,
            operands=(Operand(row, results[weights].copy()),), inner=scored,
            slack=_slack(np.array([score, largest, scored.magnitude], np.float32), float(abs(terms.products[0]))),
        )  # fmt: skip

    return collected


def _score(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results, float], Formula]:
    head, query, key = element.index
    size, columns = attention.head_size, attention.columns
    first = head * size
    q = work.values(attention.qkv, (query, first), size)
    k = work.values(attention.qkv, (key, columns + first), size)
    products = work.products(q, k, score_scale(attention))
    left = Source(attention.qkv, ((query, query + 1), (first, first + size)))
    right = Source(attention.qkv, ((key, key + 1), (columns + first, columns + first + size)))

    def collected(results: Results, value: float) -> Formula:
        terms = Terms(results[q].copy(), results[k].copy(), results[products].copy(), left, right)
        return formula(
            element, "scores",
            f"sum of {of(left, element, whole=False)} * {of(right, element, whole=False)} / sqrt({size})",
            value, terms, sources=(left, right), scale=score_scale(attention),
            operands=(Operand(left, terms.left_values), Operand(right, terms.right_values)),
        )  # fmt: skip

    return collected


def _slack(scores: Results, magnitude: float) -> float:
    """For `Formula.rounding`: the error of exp(score) is proportional to the score."""
    return 16 * float(np.abs(scores).max(initial=0.0)) * magnitude


def _masked(element: TensorIndex, kind: str, value: float) -> Formula:
    """The formula of a key after its query."""
    empty = np.empty(0, np.float32)
    _, query, key = element.index
    constants = (Number("masked", value),)
    operator = f"{value:g}, because key {key} comes after query {query}"
    return formula(element, kind, operator, value, Terms(empty, empty, empty, (), ()), sources=(), constants=constants)


def _scores_name(attention: Attention) -> str:
    return f"{attention.pattern[: attention.pattern.rfind('.') + 1]}scores"
