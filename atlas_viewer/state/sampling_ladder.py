"""The sampling ladder: from the logit of a token to its probability in the draw, and the random numbers of the draw."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from compute.sampling.options import GenerateOptions
from compute.sampling.random_numbers import gumbel, threefry, uniform

from .distribution import Cut, Distribution

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class Rung:
    """One filter: its name and value as panels show it, what it compared for this token, and whether it kept it."""

    label: str
    compared: str
    kept: bool


@dataclass(frozen=True)
class Ladder:
    """How the draw treats one token. Logarithms are natural; everything is float64.

    penalized: the logit after the repetition penalty; repeated: the token is in the context, so the penalty applies.
    scaled: penalized / temperature; highest: the largest `scaled` of all tokens. Temperature 0 leaves the logit as
    it is.
    weight: exp(scaled - highest), 0 for a token that was removed; total: the sum of the weights of all tokens kept.
    probability: weight / total; at temperature 0, 1 for the largest and 0 for the others.
    """

    token: int
    logit: float
    repeated: bool
    penalized: float
    scaled: float
    highest: float
    rungs: tuple[Rung, ...]
    weight: float
    total: float
    probability: float
    options: GenerateOptions


@dataclass(frozen=True)
class Racer:
    """One token in the draw: score = scaled - highest + noise, with noise = -ln(-ln(1 - u)). The largest score wins."""

    token: int
    probability: float
    uniform: float
    noise: float
    score: float


@dataclass(frozen=True)
class Race:
    """The random numbers of one draw: `racers` are those with the largest scores, the winner first.

    margin: how much larger the winner's score is than the second one; infinite if only one token could be drawn.
    """

    seed: int
    step: int
    racers: tuple[Racer, ...]
    margin: float


def same_sampling(first: GenerateOptions, second: GenerateOptions) -> bool:
    """True when both options give every token the same probability."""
    return all(getattr(first, name) == getattr(second, name) for name in _SAMPLING)


def with_sliders(distribution: Distribution, sliders: GenerateOptions) -> Distribution:
    """The step's distribution as the sliders would make it, with the random numbers of the step."""
    if same_sampling(distribution.options, sliders):
        return distribution
    changed = {name: getattr(sliders, name) for name in _SAMPLING}
    return dataclasses.replace(distribution, options=dataclasses.replace(distribution.options, **changed))


def ladder_of(distribution: Distribution, token: int) -> Ladder:
    """The ladder of a token with the distribution's options. A token with a non-finite logit has no probability."""
    options, temperature = distribution.options, distribution.options.temperature
    divisor = temperature or 1.0
    penalized = float(distribution.penalized[token])
    highest = float(distribution.penalized[distribution.draw_order[0]]) / divisor
    scaled = penalized / divisor
    kept = distribution.draw_rank[token] <= distribution.kept and math.isfinite(scaled)
    first = distribution.draw_order[: distribution.kept]
    with np.errstate(over="ignore"):  # at a tiny temperature, the exponent is minus infinity, and 0 is correct
        gaps = (distribution.penalized[first] - distribution.penalized[distribution.draw_order[0]]) / divisor
    total = float(np.exp(gaps).sum()) if temperature else 1.0
    probability = float(distribution.drawn[token])
    weight = (math.exp(_scaled_gap(distribution, token)) if kept else 0.0) if temperature else probability
    return Ladder(
        token=token,
        logit=float(distribution.logits[token]),
        repeated=options.repetition_penalty != 1 and token in distribution.context,
        penalized=penalized,
        scaled=scaled,
        highest=highest,
        rungs=tuple(_rung(distribution, cut, token) for cut in distribution.cuts),
        weight=weight,
        total=total,
        probability=probability,
        options=options,
    )


def _rung(distribution: Distribution, cut: Cut, token: int) -> Rung:
    """What a filter compared for a token. Each one keeps the first tokens in the order of the draw."""
    rank = int(distribution.draw_rank[token])
    kept = rank <= cut.kept
    if cut.name == "top-k":
        return Rung(cut.label, f"rank {rank:,} of {int(cut.value):,}", kept)
    if cut.name == "top-p":
        before = float(distribution.cumulative[distribution.draw_order[rank - 2]]) if rank > 1 else 0.0
        sign = "<" if kept else ">="
        return Rung(cut.label, f"likelier tokens sum to {before:.4g} {sign} {cut.value:g}", kept)
    share = math.exp(_scaled_gap(distribution, token))
    return Rung(cut.label, f"{share:.4g} of the largest {'>=' if kept else '<'} {cut.value:g}", kept)


def _scaled_gap(distribution: Distribution, token: int) -> float:
    """(penalized logit - largest) / temperature of a token; minus infinity when its logit is not finite."""
    gap = float(distribution.penalized[token] - distribution.penalized[distribution.draw_order[0]])
    return gap / (distribution.options.temperature or 1.0) if math.isfinite(gap) else -math.inf


def race_of(distribution: Distribution, count: int = 5) -> Race | None:
    """The race of the step's draw among the tokens kept, from the step's seed; None when nothing is random.

    The sampler draws no number for the whole vocabulary. It draws one for each token, from the seed, the number of the
    step and the token's id, and takes the token with the largest score. Each token wins with its probability.
    """
    options = distribution.options
    if options.temperature == 0 or not distribution.kept:
        return None
    tokens = distribution.draw_order[: distribution.kept]
    bits = threefry((options.seed, distribution.step), tokens, 0)
    noise, numbers = gumbel(bits), uniform(bits)
    largest = distribution.penalized[tokens[0]]
    scores = (distribution.penalized[tokens] - largest) / options.temperature + noise
    order = np.lexsort((tokens, -scores))[: max(count, 2)]
    racers = tuple(
        Racer(int(tokens[at]), float(distribution.drawn[tokens[at]]), float(numbers[at]), float(noise[at]),
              float(scores[at]))
        for at in order
    )  # fmt: skip
    margin = racers[0].score - racers[1].score if len(racers) > 1 else math.inf
    return Race(options.seed, distribution.step, racers[:count], margin)
