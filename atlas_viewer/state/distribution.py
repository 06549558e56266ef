"""The whole distribution of one step: every token's logit, and what the model and the draw made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compute.sampling.options import GenerateOptions

_POINTS = 400  # of a curve: more than a plot has pixels to tell apart
_ROUNDING = 1e-12  # of sums of probabilities
SHARES = (0.5, 0.9, 0.99)  # of the mass, whose tokens are counted


@dataclass(frozen=True)
class Cut:
    """A filter that is on, its value, and how many tokens it and those before it leave, likeliest first."""

    name: str
    value: float
    kept: int

    @property
    def label(self) -> str:
        """As the panels name it."""
        return f"{self.name} {self.value:g}"


@dataclass(frozen=True)
class Shape:
    """How wide a distribution is: entropy in bits, and how many tokens hold each of `SHARES`."""

    entropy: float
    perplexity: float
    holding: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability and its running sum over the rank, float64 [points] each; ranks count from 1."""

    rank: np.ndarray
    probability: np.ndarray
    cumulative: np.ndarray


@dataclass(frozen=True, eq=False)
class Distribution:
    """Logits float32 [vocabulary] of step `step`, the options it was drawn with, and the tokens of its window.

    Everything else is made of these when it is first asked for, and kept. Arrays are [vocabulary], by token.
    """

    step: int
    logits: np.ndarray
    options: GenerateOptions
    context: tuple[int, ...] = ()  # token ids, for the repetition penalty

    @cached_property
    def order(self) -> np.ndarray:
        """Tokens from the likeliest on, int64 [vocabulary]; those without a finite logit last, ties by number."""
        return _descending(self.logits)

    @cached_property
    def rank(self) -> np.ndarray:
        """Place of each token in `order`, int64, from 1."""
        return _ranks(self.order)

    @cached_property
    def nonfinite(self) -> int:
        """How many logits are NaN or infinite; such tokens are never drawn."""
        return int(self.logits.size - np.isfinite(self.logits).sum())

    @cached_property
    def scaled_delta(self) -> np.ndarray:
        """(logit - largest finite logit) / temperature, float64; at temperature 0 not divided."""
        highest = float(self.logits[self.order[0]])
        with np.errstate(invalid="ignore"):
            return (self.logits.astype(np.float64) - highest) / (self.options.temperature or 1.0)

    @cached_property
    def model(self) -> np.ndarray:
        """The model's own belief, float64: softmax of the finite logits; all 0 when there is none."""
        return _shares(_exponentials(self.logits, self.order, 1.0), self.order)

    @cached_property
    def drawn(self) -> np.ndarray:
        """What the draw used, float64: after penalty, temperature and filters."""
        if self.options.temperature > 0:
            return _shares(_first(self._weights, self.kept), self.draw_order)
        greedy = np.zeros(self.logits.size)
        greedy[self.draw_order[:1]] = float(self.nonfinite < self.logits.size)
        return greedy

    @cached_property
    def penalized(self) -> np.ndarray:
        """Logits after the repetition penalty, float64: of tokens in the window, those above 0 are divided by it."""
        found: np.ndarray = self.logits.astype(np.float64)
        penalty = self.options.repetition_penalty
        if penalty != 1 and self.context:
            seen = np.unique(self.context)
            found[seen] *= np.where(found[seen] > 0, 1 / penalty, penalty)
        return found

    @cached_property
    def draw_order(self) -> np.ndarray:
        """Tokens from the likeliest on as the draw and its filters see them, int64: with the repetition penalty."""
        if self.options.repetition_penalty == 1:
            return self.order
        return _descending(self.penalized)

    @cached_property
    def draw_rank(self) -> np.ndarray:
        """Place of each token in `draw_order`, int64, from 1."""
        return self.rank if self.draw_order is self.order else _ranks(self.draw_order)

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Running sum, float64, along `draw_order` of the probabilities that top-p cuts: penalty, temperature, top-k.

        Temperature 0 has no such probabilities: there it is that of temperature 1.
        """
        total = np.empty(self.logits.size)
        total[self.draw_order] = np.cumsum(_normalized(_first(self._weights, self._top_k)))
        return total

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """The filters that left tokens out, in the order in which they work; at temperature 0 there are none."""
        options, finite = self.options, self.logits.size - self.nonfinite
        if options.temperature == 0 or not finite:
            return ()
        found = []
        # Every filter keeps the first tokens of the draw's order, so that how many it keeps says which.
        kept = self._top_k
        if options.top_k:
            found.append(Cut("top-k", options.top_k, kept))
        if options.top_p < 1:
            mass = np.cumsum(_normalized(_first(self._weights, kept)))
            kept = min(int(np.searchsorted(mass, options.top_p)) + 1, kept)
            found.append(Cut("top-p", options.top_p, kept))
        if options.min_p > 0:
            kept = min(int(np.count_nonzero(self._weights >= options.min_p)), kept)
            found.append(Cut("min-p", options.min_p, kept))
        return tuple(found)

    @cached_property
    def kept(self) -> int:
        """How many tokens the filters left, the first ones of `draw_order`."""
        return min((cut.kept for cut in self.cuts), default=self.logits.size - self.nonfinite)

    @cached_property
    def model_sum(self) -> np.ndarray:
        """Running sum of `model` from the likeliest token on, float64 [vocabulary], by rank."""
        return np.cumsum(self.model[self.order])

    @cached_property
    def model_shape(self) -> Shape:
        """Of the model's own belief."""
        return _shape(self.model[self.order])

    @cached_property
    def drawn_shape(self) -> Shape:
        """Of what the draw used."""
        return _shape(self.drawn[self.draw_order])

    @cached_property
    def model_curve(self) -> Curve:
        """Of the model's own belief over `rank`."""
        return _curve(self.model[self.order])

    @cached_property
    def drawn_curve(self) -> Curve:
        """Of what the draw used over `draw_rank`."""
        return _curve(self.drawn[self.draw_order])

    def cut_of(self, token: int) -> Cut | None:
        """The first filter that left `token` out."""
        return next((cut for cut in self.cuts if self.draw_rank[token] > cut.kept), None)

    @cached_property
    def _weights(self) -> np.ndarray:
        """Along `draw_order`, exponentials of the logits as drawn, the first one 1; at temperature 0 as at 1."""
        return _exponentials(self.penalized, self.draw_order, self.options.temperature or 1.0)

    @property
    def _top_k(self) -> int:
        """How many tokens top-k leaves."""
        finite = self.logits.size - self.nonfinite
        return min(self.options.top_k, finite) if self.options.top_k and self.options.temperature else finite


@dataclass(frozen=True, eq=False)
class Difference:
    """What the model believes at `shown` against what it believes at `other`; arrays are [vocabulary], by token."""

    shown: Distribution
    other: Distribution

    @cached_property
    def probability(self) -> np.ndarray:
        """Model probability at `shown` minus that at `other`, float64."""
        gained: np.ndarray = self.shown.model - self.other.model
        return gained

    @cached_property
    def ranks(self) -> np.ndarray:
        """How many places a token is further up at `shown`, int64."""
        climbed: np.ndarray = self.other.rank - self.shown.rank
        return climbed

    @cached_property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of `shown` from `other`, in bits: infinite when `other` rules a token out."""
        p, q = self.shown.model, self.other.model
        at = p > 0
        with np.errstate(divide="ignore"):
            return max(0.0, float(np.sum(p[at] * (np.log2(p[at]) - np.log2(q[at])))))


def _descending(logits: np.ndarray) -> np.ndarray:
    ranked = np.where(np.isfinite(logits), logits, -np.inf).astype(np.float64)
    return np.argsort(-ranked, kind="stable")


def _exponentials(logits: np.ndarray, order: np.ndarray, temperature: float) -> np.ndarray:
    """exp((logit - largest) / temperature) along `order`, float64; 0 where a logit is not finite."""
    x = logits[order].astype(np.float64)
    finite = np.isfinite(x)
    weights = np.zeros(x.size)
    with np.errstate(over="ignore"):  # a tiny temperature: the exponential of minus infinity is 0, as it should be
        weights[finite] = np.exp((x[finite] - x[0]) / temperature)
    return weights


def _first(weights: np.ndarray, count: int) -> np.ndarray:
    """`weights` with zeros behind the first `count`."""
    return np.where(np.arange(weights.size) < count, weights, 0.0)


def _normalized(weights: np.ndarray) -> np.ndarray:
    """`weights` over their sum; zeros stay."""
    shares: np.ndarray = weights / (weights.sum() or 1.0)
    return shares


def _shares(weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """`weights`, which are along `order`, over their sum and by token."""
    shares = np.empty(weights.size)
    shares[order] = _normalized(weights)
    return shares


def _ranks(order: np.ndarray) -> np.ndarray:
    ranks = np.empty_like(order)
    ranks[order] = np.arange(1, order.size + 1)
    return ranks


def _shape(falling: np.ndarray) -> Shape:
    """Of probabilities, the largest first; they add up to 1, or are all 0 when there was nothing to draw from."""
    present = falling[falling > 0]
    # No negative zero for a distribution of a single token.
    entropy = max(0.0, float(-np.sum(present * np.log2(present))))
    total = np.cumsum(falling)
    half, most, nearly = (min(int(np.searchsorted(total, share - _ROUNDING)) + 1, present.size) for share in SHARES)
    return Shape(entropy, 2.0**entropy, (half, most, nearly))


def _curve(falling: np.ndarray) -> Curve:
    """Points of probabilities, the largest first, evenly spread over the logarithm of the rank; zeros are left out."""
    last = max(1, int(np.count_nonzero(falling)))
    ranks = np.unique(np.round(np.geomspace(1, last, _POINTS)).astype(np.int64))
    return Curve(ranks.astype(np.float64), falling[ranks - 1], np.cumsum(falling)[ranks - 1])
