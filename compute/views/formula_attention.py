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
from .formula_work import FormulaWork

Results = npt.NDArray[np.float32]


def out_plan(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results, float], Formula]:
    """The weights of all keys that a query sees times their values."""
    query, column = element.index
    (head, channel), first, end = divmod(column, attention.head_size), attention.first_key(query), query + 1
    of_value = attention.value.column(head // attention.group, channel)
    scores, _, weights, _ = work.softmax(attention, head, query)
    values = work.values(attention.value.source, (first, of_value), end - first, work.columns(attention.value.source))
    products = work.products(weights, values)
    left = Source(attention.pattern, ((head, head + 1), (query, query + 1), (first, end)))
    right = Source(attention.value.source, ((first, end), (of_value, of_value + 1)))

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
    """A query times a key / sqrt(head size); -inf for a key that the query does not see."""
    head, query, key = element.index
    first = attention.first_key(query)
    if not first <= key <= query:
        return lambda results: _masked(attention, element, "scores", -math.inf)
    scores, _, _, _ = work.softmax(attention, head, query)
    products = _score(work, attention, element)
    return lambda results: products(results, float(results[scores][key - first]))


def pattern_plan(work: FormulaWork, attention: Attention, element: TensorIndex) -> Callable[[Results], Formula]:
    """exp(score - largest score) over the sum of these for all keys that the query sees; 0 for other keys."""
    head, query, key = element.index
    first = attention.first_key(query)
    if not first <= key <= query:
        return lambda results: _masked(attention, element, "pattern", 0.0)
    at = key - first
    value = work.pattern(attention, head, query, key)
    scores, exponentials, weights, extremes = work.softmax(attention, head, query)
    score_at = TensorIndex(_scores_name(attention), element.index)
    inner = _score(work, attention, score_at)

    def collected(results: Results) -> Formula:
        largest, total = (float(part) for part in results[extremes])
        score, exponential = float(results[scores][at]), results[exponentials][at : at + 1].copy()
        steps = (
            Number("score", score),
            Number("largest score", largest),
            Number("exp(score - largest)", float(exponential[0])),
            Number("sum over keys", total),
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.float32(1) / results[extremes][1:]
        terms = Terms(exponential, share, results[weights][at : at + 1].copy(), (None,), (None,))
        row = Source(attention.pattern, ((head, head + 1), (query, query + 1), (first, query + 1)))
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
    size, scale = attention.head_size, attention.score_scale
    query_at, key_at = attention.query.column(head), attention.key.column(head // attention.group)
    q = work.values(attention.query.source, (query, query_at), size)
    k = work.values(attention.key.source, (key, key_at), size)
    products = work.products(q, k, scale)
    left = Source(attention.query.source, ((query, query + 1), (query_at, query_at + size)))
    right = Source(attention.key.source, ((key, key + 1), (key_at, key_at + size)))
    factor = f" * {scale:.4g}" if attention.scale else f" / sqrt({size})"

    def collected(results: Results, value: float) -> Formula:
        terms = Terms(results[q].copy(), results[k].copy(), results[products].copy(), left, right)
        product = f"sum of {of(left, element, whole=False)} * {of(right, element, whole=False)}{factor}"
        operands = (Operand(left, terms.left_values), Operand(right, terms.right_values))
        if attention.cap:
            return capped(element, "scores", attention.cap, product, value, terms, operands)
        return formula(element, "scores", product, value, terms, sources=(left, right), scale=scale, operands=operands)

    return collected


def capped(
    element: TensorIndex,
    kind: str,
    cap: float,
    inner: str,
    value: float,
    terms: Terms,
    operands: tuple[Operand, ...],
    constants: tuple[Number, ...] = (),
) -> Formula:
    """The formula of a sum with a soft cap: the sum times the share of it that the cap lets through."""
    total = float(terms.products.sum(dtype=np.float64)) + sum(constant.value for constant in constants)
    share = math.tanh(total / cap) * cap / total if total else 1.0
    left, right, product = (np.array([number], np.float32) for number in (total, share, total * share))
    steps = (Number("before the soft cap", total), Number("soft cap", cap))
    one, operator = Terms(left, right, product, (None,), (None,)), f"{cap:g} * tanh(({inner}) / {cap:g})"
    return formula(
        element, kind, operator, value, one, steps=steps,
        sources=tuple(operand.source for operand in operands), operands=operands,
        slack=8 * float(np.abs(terms.products).sum()) + cap,
    )  # fmt: skip


def _slack(scores: Results, magnitude: float) -> float:
    """For `Formula.rounding`: the error of exp(score) is proportional to the score."""
    return 16 * float(np.abs(scores).max(initial=0.0)) * magnitude


def _masked(attention: Attention, element: TensorIndex, kind: str, value: float) -> Formula:
    """The formula of a key that its query does not see."""
    empty = np.empty(0, np.float32)
    _, query, key = element.index
    constants = (Number("masked", value),)
    why = f"comes after query {query}" if key > query else f"is before the {attention.window} tokens that it sees"
    operator = f"{value:g}, because key {key} {why}"
    return formula(element, kind, operator, value, Terms(empty, empty, empty, (), ()), sources=(), constants=constants)


def _scores_name(attention: Attention) -> str:
    return f"{attention.pattern[: attention.pattern.rfind('.') + 1]}scores"
