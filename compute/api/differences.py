"""How two passes differ: their tensors piece by piece, and their predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TensorDifference:
    """A tensor of two passes, compared at the positions that both have.

    shape: of what was compared. max_abs, mean_abs: of the differences; NaN when a value is not finite on one side
    alone. relative: max_abs over the largest magnitude in A; infinite when A is 0 everywhere and B is not.
    first: index of the first element that differs, None when all are the same. Positions in it count in the text.
    """

    name: str
    shape: tuple[int, ...]
    max_abs: float
    mean_abs: float
    relative: float
    first: tuple[int, ...] | None


class Differing:
    """A tensor whose rows are compared piece by piece: [rows, columns] or, for attention, [heads, rows, keys]."""

    def __init__(self, name: str, shape: tuple[int, ...], start: int) -> None:
        """shape: of what is compared; start: the position in the text of the first row, and of the first key."""
        self._name, self._shape, self._start = name, shape, start
        self._total = 0.0
        self._rows = np.zeros(shape[-2])  # largest difference of each row
        self._largest = 0.0  # magnitude in A
        self._element: tuple[int, ...] | None = None

    def add(self, a: np.ndarray, b: np.ndarray, row: int = 0) -> None:
        """Compare rows from `row` on; all rows before were added before."""
        x, y = a.astype(np.float64), b.astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        with np.errstate(invalid="ignore"):
            apart = np.where(same, 0.0, np.abs(x - y))
        finite = np.abs(x[np.isfinite(x)])
        self._largest = max(self._largest, float(finite.max(initial=0.0)))
        self._total += float(apart.sum())
        self._rows[row : row + x.shape[-2]] = apart.max(
            axis=tuple(axis for axis in range(x.ndim) if axis != x.ndim - 2)
        )
        if self._element is None and not same.all():
            element = [int(i) for i in np.unravel_index(int(np.argmin(same)), same.shape)]
            element[-2] += row + self._start
            if x.ndim == 3:
                element[-1] += self._start
            self._element = tuple(element)

    def result(self) -> TensorDifference:
        """After the last piece."""
        largest = float(self._rows.max(initial=0.0))
        count = math.prod(self._shape)
        return TensorDifference(
            self._name, self._shape, largest, self._total / max(count, 1), self._share(largest), self._element
        )

    def rows(self) -> np.ndarray:
        """The largest difference of each row, relative like `TensorDifference.relative`: float64 [rows]."""
        return np.array([self._share(value) for value in self._rows])

    def _share(self, value: float) -> float:
        if value == 0:
            return 0.0
        return value / self._largest if self._largest else math.inf


@dataclass(frozen=True)
class TokenChange:
    """A token whose probability as the next one differs. text: empty without a fitting tokenizer."""

    token: int
    text: str
    probability_a: float
    probability_b: float
    logit_a: float
    logit_b: float


def divergence(a: np.ndarray, b: np.ndarray) -> float:
    """KL(A || B) in nats of the softmax of two rows of logits; NaN when a logit is NaN or infinite.

    A logit of -inf is a probability of 0; the result is infinite when A has a token that B has not.
    """
    p, q = log_probabilities(a), log_probabilities(b)
    if np.isnan(p).any() or np.isnan(q).any():
        return math.nan
    taken = p > -np.inf
    if (q[taken] == -np.inf).any():
        return math.inf
    return max(0.0, float((np.exp(p[taken]) * (p[taken] - q[taken])).sum()))


def token_changes(a: np.ndarray, b: np.ndarray, top: int) -> list[TokenChange]:
    """The tokens whose probability changed most, without their texts."""
    p, q = np.exp(log_probabilities(a)), np.exp(log_probabilities(b))
    apart = np.nan_to_num(np.abs(p - q), nan=-1.0)
    order = np.argsort(-apart, kind="stable")[:top]
    return [
        TokenChange(int(token), "", float(p[token]), float(q[token]), float(a[token]), float(b[token]))
        for token in order
        if apart[token] > 0
    ]


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax of a row of logits, float64; NaN when a logit is NaN or infinite."""
    x = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        shifted = x - x.max()
        result: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    return result
