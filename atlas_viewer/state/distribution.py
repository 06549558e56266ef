"""The full distribution of one step: every token's logit, and the probabilities of the model and of the draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compute.sampling.options import GenerateOptions

_POINTS = 400  # points of a curve: more than a plot can resolve
_ROUNDING = 1e-12  # tolerance for sums of probabilities
SHARES = (0.5, 0.9, 0.99)  # shares of the probability mass for which tokens are counted


@dataclass(frozen=True)
class Cut:
    """An active filter, its value, and the number of tokens left after it and the filters before it."""

    name: str
    value: float
    kept: int

    @property
    def label(self) -> str:
        """The filter as panels show it."""
        return f"{self.name} {self.value:g}"


@dataclass(frozen=True)
class Shape:
    """The width of a distribution: entropy in bits, perplexity, and how many tokens make up each of `SHARES`."""

    entropy: float
    perplexity: float
    holding: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability and its running sum by rank, float64 [points] each; ranks count from 1."""

    rank: np.ndarray
    probability: np.ndarray
    cumulative: np.ndarray


@dataclass(frozen=True, eq=False)
class Distribution:
    """The logits of a step, float32 [vocabulary], with the options and the context that its token was drawn with.

    Everything else is computed on first use, and cached. Arrays are [vocabulary], indexed by token.
    """

    step: int
    logits: np.ndarray
    options: GenerateOptions
    context: tuple[int, ...] = ()  # token ids, for the repetition penalty

    @cached_property
    def order(self) -> np.ndarray:
        """Tokens, likeliest first, int64. Non-finite logits come last; ties are sorted by token."""
        return _descending(self.logits)

    @cached_property
    def rank(self) -> np.ndarray:
        """Rank of each token in `order`, int64, counted from 1."""
        return _ranks(self.order)

    @cached_property
    def nonfinite(self) -> int:
        """The number of logits that are NaN or infinite; such tokens are never drawn."""
        return int(self.logits.size - np.isfinite(self.logits).sum())

    @cached_property
    def ascending(self) -> np.ndarray:
        """The finite logits, smallest first, float32."""
        finite: np.ndarray = self.logits[self.order[: self.logits.size - self.nonfinite]]
        return finite[::-1]

    @cached_property
    def scaled_delta(self) -> np.ndarray:
        """(logit - largest finite logit) / temperature, float64; at temperature 0 there is no division."""
        highest = float(self.logits[self.order[0]])
        with np.errstate(invalid="ignore"):
            return (self.logits.astype(np.float64) - highest) / (self.options.temperature or 1.0)

    @cached_property
    def model(self) -> np.ndarray:
        """The model's probabilities, float64: softmax of the finite logits; all 0 when no logit is finite."""
        return _shares(_exponentials(self.logits, self.order, 1.0), self.order)

    @cached_property
    def drawn(self) -> np.ndarray:
        """The draw's probabilities, float64: after penalty, temperature and filters."""
        if self.options.temperature > 0:
            return _shares(_first(self._weights, self.kept), self.draw_order)
        greedy = np.zeros(self.logits.size)
        greedy[self.draw_order[:1]] = float(self.nonfinite < self.logits.size)
        return greedy

    @cached_property
    def penalized(self) -> np.ndarray:
        """Logits after the repetition penalty, float64: it divides the positive logits of context tokens."""
        logits: np.ndarray = self.logits.astype(np.float64)
        penalty = self.options.repetition_penalty
        if penalty != 1 and self.context:
            seen = np.unique(self.context)
            logits[seen] *= np.where(logits[seen] > 0, 1 / penalty, penalty)
        return logits

    @cached_property
    def draw_order(self) -> np.ndarray:
        """Tokens after the repetition penalty, likeliest first, int64: the order of the draw and its filters."""
        if self.options.repetition_penalty == 1:
            return self.order
        return _descending(self.penalized)

    @cached_property
    def draw_rank(self) -> np.ndarray:
        """Rank of each token in `draw_order`, int64, counted from 1."""
        return self.rank if self.draw_order is self.order else _ranks(self.draw_order)

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Running sum along `draw_order`, float64, of the probabilities that top-p cuts: after penalty, temperature
        and top-k. Temperature 0 has no such probabilities and is treated as temperature 1.
        """
        total = np.empty(self.logits.size)
        total[self.draw_order] = np.cumsum(_normalized(_first(self._weights, self._top_k)))
        return total

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """The active filters in the order in which they are applied; none at temperature 0."""
        options, finite = self.options, self.logits.size - self.nonfinite
        if options.temperature == 0 or not finite:
            return ()
        cuts = []
        # Every filter keeps the first tokens in draw order, so their number is enough to identify them.
        kept = self._top_k
        if options.top_k:
            cuts.append(Cut("top-k", options.top_k, kept))
        if options.top_p < 1:
            mass = np.cumsum(_normalized(_first(self._weights, kept)))
            kept = min(int(np.searchsorted(mass, options.top_p)) + 1, kept)
            cuts.append(Cut("top-p", options.top_p, kept))
        if options.min_p > 0:
            kept = min(int(np.count_nonzero(self._weights >= options.min_p)), kept)
            cuts.append(Cut("min-p", options.min_p, kept))
        return tuple(cuts)

    @cached_property
    def kept(self) -> int:
        """The number of tokens that the filters leave: the first ones in `draw_order`."""
        return min((cut.kept for cut in self.cuts), default=self.logits.size - self.nonfinite)

    @cached_property
    def model_sum(self) -> np.ndarray:
        """Running sum of `model` from the likeliest token, float64 [vocabulary], by rank."""
        return np.cumsum(self.model[self.order])

    @cached_property
    def model_shape(self) -> Shape:
        """The width of the model's distribution."""
        return _shape(self.model[self.order])

    @cached_property
    def drawn_shape(self) -> Shape:
        """The width of the draw's distribution."""
        return _shape(self.drawn[self.draw_order])

    @cached_property
    def model_curve(self) -> Curve:
        """The model's probabilities by `rank`."""
        return _curve(self.model[self.order])

    @cached_property
    def drawn_curve(self) -> Curve:
        """The draw's probabilities by `draw_rank`."""
        return _curve(self.drawn[self.draw_order])

    def cut_of(self, token: int) -> Cut | None:
        """The first filter that left `token` out; None when it was kept."""
        return next((cut for cut in self.cuts if self.draw_rank[token] > cut.kept), None)

    @cached_property
    def _weights(self) -> np.ndarray:
        """Exponentials of the penalized logits along `draw_order`; the first is 1. Temperature 0 is treated as 1."""
        return _exponentials(self.penalized, self.draw_order, self.options.temperature or 1.0)

    @property
    def _top_k(self) -> int:
        """The number of tokens that top-k leaves."""
        finite = self.logits.size - self.nonfinite
        return min(self.options.top_k, finite) if self.options.top_k and self.options.temperature else finite


@dataclass(frozen=True, eq=False)
class Difference:
    """The model's distributions at two steps, compared with each other. Arrays are [vocabulary], indexed by token."""

    shown: Distribution
    other: Distribution

    @cached_property
    def probability(self) -> np.ndarray:
        """Model probability at `shown` minus that at `other`, float64."""
        gained: np.ndarray = self.shown.model - self.other.model
        return gained

    @cached_property
    def ranks(self) -> np.ndarray:
        """How many ranks each token is higher at `shown`, int64."""
        climbed: np.ndarray = self.other.rank - self.shown.rank
        return climbed

    @cached_property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of `shown` from `other`, in bits; infinite when `other` excludes a token."""
        p, q = self.shown.model, self.other.model
        at = p > 0
        with np.errstate(divide="ignore"):
            return max(0.0, float(np.sum(p[at] * (np.log2(p[at]) - np.log2(q[at])))))


def _descending(logits: np.ndarray) -> np.ndarray:
    ranked = np.where(np.isfinite(logits), logits, -np.inf).astype(np.float64)
    return np.argsort(-ranked, kind="stable")


def _exponentials(logits: np.ndarray, order: np.ndarray, temperature: float) -> np.ndarray:
    """exp((logit - largest) / temperature) along `order`, float64; 0 for non-finite logits."""
    x = logits[order].astype(np.float64)
    finite = np.isfinite(x)
    weights = np.zeros(x.size)
    with np.errstate(over="ignore"):  # at a tiny temperature, the exponent is minus infinity, and 0 is correct
        weights[finite] = np.exp((x[finite] - x[0]) / temperature)
    return weights


def _first(weights: np.ndarray, count: int) -> np.ndarray:
    """`weights` with zeros after the first `count`."""
    return np.where(np.arange(weights.size) < count, weights, 0.0)


def _normalized(weights: np.ndarray) -> np.ndarray:
    """`weights` divided by their sum; all zeros stay zeros."""
    shares: np.ndarray = weights / (weights.sum() or 1.0)
    return shares


def _shares(weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """`weights`, given along `order`, normalized and indexed by token."""
    shares = np.empty(weights.size)
    shares[order] = _normalized(weights)
    return shares


def _ranks(order: np.ndarray) -> np.ndarray:
    ranks = np.empty_like(order)
    ranks[order] = np.arange(1, order.size + 1)
    return ranks


def _shape(falling: np.ndarray) -> Shape:
    """The width of probabilities, largest first, which add up to 1, or are all 0 when no token can be drawn."""
    present = falling[falling > 0]
    # Avoid a negative zero for a distribution of a single token.
    entropy = max(0.0, float(-np.sum(present * np.log2(present))))
    total = np.cumsum(falling)
    half, most, nearly = (min(int(np.searchsorted(total, share - _ROUNDING)) + 1, present.size) for share in SHARES)
    return Shape(entropy, 2.0**entropy, (half, most, nearly))


def _curve(falling: np.ndarray) -> Curve:
    """Points from probabilities, largest first, evenly spaced on a logarithmic axis of ranks; zeros are left out."""
    last = max(1, int(np.count_nonzero(falling)))
    ranks = np.unique(np.round(np.geomspace(1, last, _POINTS)).astype(np.int64))
    return Curve(ranks.astype(np.float64), falling[ranks - 1], np.cumsum(falling)[ranks - 1])
