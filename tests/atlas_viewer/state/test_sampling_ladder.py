"""The sampling ladder and the race of a draw, compared with the reference and with draws of the sampler."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.sampling_ladder import ladder_of, race_of, with_sliders
from compute.sampling.options import GenerateOptions
from compute.selftest import reference
from compute.selftest.draws import CLOSE, OPTIONS, Table, logits_of
from compute.selftest.gpu import Gpu

SIZE = 1000
ALL = GenerateOptions(temperature=0.7, top_k=90, top_p=0.8, min_p=0.1, repetition_penalty=1.3, seed=5)
CONTEXT = (4, 9, 9, 77)


def logits_with(seed: int = 3) -> np.ndarray:
    return (3 * np.random.default_rng(seed).standard_normal(SIZE)).astype(np.float32)


@pytest.mark.parametrize("options", [*OPTIONS, ALL], ids=lambda options: str(options.as_json()))
def test_every_token_ends_at_the_probability_of_the_reference(options: GenerateOptions) -> None:
    logits = logits_with()
    distribution = Distribution(2, logits, options, CONTEXT)
    wanted = reference.distribution(
        logits, options.temperature, options.top_k, options.top_p, options.min_p, options.repetition_penalty, CONTEXT
    )
    for token in range(SIZE):
        ladder = ladder_of(distribution, token)
        assert ladder.weight / ladder.total == pytest.approx(wanted[token], rel=1e-9)
        assert ladder.probability == pytest.approx(wanted[token], rel=1e-9)
        assert all(rung.kept for rung in ladder.rungs) == (wanted[token] > 0 or options.temperature == 0)


def test_the_rungs_of_a_token() -> None:
    logits = np.full(SIZE, -20, np.float32)
    logits[[3, 4, 5, 6]] = 4, 3, 2, 1
    options = GenerateOptions(temperature=0.5, top_k=3, top_p=0.99, min_p=0.05, repetition_penalty=2)
    ladder = ladder_of(Distribution(0, logits, options, (4,)), 5)
    assert (ladder.logit, ladder.repeated, ladder.penalized, ladder.scaled, ladder.highest) == (2, False, 2, 4, 8)
    # Token 4 is in the context: 3 / 2 = 1.5, so token 5 has rank 2.
    repeated = ladder_of(Distribution(0, logits, options, (4,)), 4)
    assert (repeated.repeated, repeated.penalized, repeated.scaled) == (True, 1.5, 3)
    assert [rung.compared for rung in ladder.rungs] == [
        "rank 2 of 3", f"likelier tokens sum to {1 / (1 + math.exp(-4) + math.exp(-5)):.4g} < 0.99",
        f"{math.exp(-4):.4g} of the largest < 0.05",
    ]  # fmt: skip
    assert [rung.kept for rung in ladder.rungs] == [True, True, False]
    assert (ladder.weight, ladder.probability) == (0, 0)


def test_the_sliders_change_the_ladder_but_not_the_random_numbers() -> None:
    drawn = Distribution(2, logits_with(), ALL, CONTEXT)
    assert with_sliders(drawn, dataclasses.replace(ALL, seed=99, max_new_tokens=3)) is drawn
    other = with_sliders(drawn, GenerateOptions(temperature=1.5, seed=99))
    assert (other.options.temperature, other.options.top_k, other.options.seed) == (1.5, 0, 5)
    before, after = race_of(drawn, SIZE), race_of(other, SIZE)
    assert before is not None
    assert after is not None
    numbers = {racer.token: racer.uniform for racer in after.racers}
    assert all(numbers[racer.token] == racer.uniform for racer in before.racers)
    assert len(before.racers) == drawn.kept


def test_scores_are_logits_plus_noise_and_the_largest_is_first() -> None:
    race = race_of(Distribution(2, logits_with(), ALL, CONTEXT), SIZE)
    assert race is not None
    for racer in race.racers:
        assert racer.noise == pytest.approx(-math.log(-math.log(1 - racer.uniform)), rel=1e-6)
    scores = [racer.score for racer in race.racers]
    assert scores == sorted(scores, reverse=True)
    assert race.margin == scores[0] - scores[1]


def test_nothing_is_random_at_temperature_0_or_without_finite_logits() -> None:
    assert race_of(Distribution(0, logits_with(), GenerateOptions(temperature=0))) is None
    assert race_of(Distribution(0, np.full(SIZE, np.nan, np.float32), GenerateOptions())) is None


def test_a_token_without_a_finite_logit_has_no_weight() -> None:
    logits = logits_with()
    logits[7] = np.nan
    ladder = ladder_of(Distribution(0, logits, ALL), 7)
    assert (ladder.weight, ladder.probability) == (0, 0)
    assert not any(rung.kept for rung in ladder.rungs)


@pytest.mark.gpu
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options.as_json()))
def test_the_winner_of_the_race_is_the_token_that_the_sampler_drew(gpu: Gpu, options: GenerateOptions) -> None:
    table, certain = Table(gpu, SIZE), 0
    for step, (_, logits) in enumerate(logits_of(SIZE, 4).items()):
        draw = table.draw(logits, options, step)
        distribution = Distribution(step, logits.astype(np.float32), options, tuple(table.seen))
        ladder, race = ladder_of(distribution, draw.token), race_of(distribution)
        found = draw.probability(draw.token, draw.logit, options.temperature)
        assert ladder.probability == pytest.approx(found, rel=1e-4)
        assert ladder.penalized == pytest.approx(draw.penalized[draw.token], rel=1e-6)
        if race is not None and race.margin > CLOSE:
            certain += 1
            assert race.racers[0].token == draw.token
    assert certain >= 5 * (options.temperature > 0)
