"""How one element of an activation was computed, as plain values: a sum of products, with the numbers of the pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compute.models.tensor_index import TensorIndex

TOP = 10  # the most terms that a formula lists


@dataclass(frozen=True)
class Number:
    """A value with a name, such as a bias or the mean of a row. `at` is its element; None if it is none."""

    label: str
    value: float
    at: TensorIndex | None = None


@dataclass(frozen=True)
class Term:
    """One product of the sum, number `index` from 0. left_at and right_at are the factors' elements.

    `right` is 1 without an element when the term is the value at `left_at` itself.
    """

    index: int
    left: float
    right: float
    product: float
    left_at: TensorIndex | None
    right_at: TensorIndex | None = None


@dataclass(frozen=True)
class Source:
    """Elements that the formula reads: a range (first, end) per dimension of the tensor `name`."""

    name: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def first(self) -> TensorIndex:
        """The first of the elements."""
        return TensorIndex(self.name, tuple(first for first, _ in self.ranges))

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(end - first for first, end in self.ranges)

    def __str__(self) -> str:
        """`name[5, 0:192]`."""
        parts = (str(first) if end == first + 1 else f"{first}:{end}" for first, end in self.ranges)
        return f"{self.name}[{', '.join(parts)}]"


@dataclass(frozen=True)
class Operand:
    """A factor of all products: its elements, and their values as float32 [terms], or [] when each factor is 1."""

    source: Source
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Formula:
    """element = the sum of `constants` and of `count` products, each times `scale`.

    kind: that of the operation, see `compute.models.operations`; also "pattern" and "scores" for attention.
    operator: the right-hand side as text.
    value: the element as the pass left it on the GPU.
    steps: intermediate values that are not added, such as the mean of a norm, in the order of computation.
    terms: the products with the largest magnitude, at most `TOP`, the largest first; NaN counts as the largest.
    remainder: the sum of all other products.
    total: the sum of everything.
    difference: `value` - `total`.
    magnitude: the sum of the magnitudes of everything added.
    sources: the elements that are read.
    operands: rows of numbers to picture.
    slack: what else rounding grows with, see `rounding`.
    inner: how the first step was computed.
    """

    element: TensorIndex
    kind: str
    operator: str
    value: float
    constants: tuple[Number, ...]
    steps: tuple[Number, ...]
    terms: tuple[Term, ...]
    count: int
    scale: float
    remainder: float
    total: float
    difference: float
    magnitude: float
    sources: tuple[Source, ...]
    operands: tuple[Operand, ...]
    slack: float = 0.0
    inner: Formula | None = None

    def __str__(self) -> str:
        """`h.0.ln_1[5, 3] = ... = 1.234`."""
        return f"{self.element} = {self.operator} = {self.value:.6g}"

    @property
    def rounding(self) -> float:
        """The largest difference that float32 arithmetic explains; NaN when a value is not finite.

        It grows with everything that is added, with the number of products, and with the slack: errors of the factors
        that this formula computes again, such as those of exp(score), which are proportional to the score.
        """
        size = (4 + math.sqrt(self.count)) * self.magnitude + self.slack
        return float(np.finfo(np.float32).eps) * max(size, 1e-30) if math.isfinite(size) else math.nan


@dataclass(frozen=True)
class Terms:
    """All products of a formula in order, before the largest are chosen; arrays are float32 [terms].

    left, right: the element of each factor, None for a factor that is none; or the source that contains them in order.
    """

    left_values: npt.NDArray[np.float32]
    right_values: npt.NDArray[np.float32]
    products: npt.NDArray[np.float32]
    left: tuple[TensorIndex | None, ...] | Source
    right: tuple[TensorIndex | None, ...] | Source


def formula(
    element: TensorIndex,
    kind: str,
    operator: str,
    value: float,
    terms: Terms,
    *,
    sources: tuple[Source, ...],
    constants: tuple[Number, ...] = (),
    steps: tuple[Number, ...] = (),
    operands: tuple[Operand, ...] = (),
    scale: float = 1.0,
    slack: float = 0.0,
    inner: Formula | None = None,
) -> Formula:
    """The formula of these terms: the largest of them, the sums in float64, and the difference to the value."""
    products = terms.products.astype(np.float64)
    count = len(products)
    magnitudes = np.where(np.isnan(products), np.inf, np.abs(products))
    # NaN before infinity, then by magnitude, then by index.
    order = np.lexsort((np.arange(count), -magnitudes, ~np.isnan(products)))
    chosen, others = order[:TOP], products[order[TOP:]]
    with np.errstate(invalid="ignore", over="ignore"):
        remainder = float(others.sum())
        added = np.array([*(number.value for number in constants), *products], np.float64)
        total = float(added.sum())
        same = total == value or (math.isnan(total) and math.isnan(value))
        return Formula(
            element=element,
            kind=kind,
            operator=operator,
            value=value,
            constants=constants,
            steps=steps,
            terms=tuple(_term(terms, int(index)) for index in chosen),
            count=count,
            scale=scale,
            remainder=remainder,
            total=total,
            difference=0.0 if same else float(np.float64(value) - total),
            magnitude=float(np.abs(added).sum()),
            sources=sources,
            operands=operands,
            slack=slack,
            inner=inner,
        )


def _term(terms: Terms, index: int) -> Term:
    return Term(
        index,
        float(terms.left_values[index]),
        float(terms.right_values[index]),
        float(terms.products[index]),
        _factor_at(terms.left, index),
        _factor_at(terms.right, index),
    )


def _factor_at(factors: tuple[TensorIndex | None, ...] | Source, index: int) -> TensorIndex | None:
    """The element that is factor number `index`: of a source, along its only range with more than one element."""
    if not isinstance(factors, Source):
        return factors[index]
    parts = [first + index if end > first + 1 else first for first, end in factors.ranges]
    return TensorIndex(factors.name, tuple(parts))
