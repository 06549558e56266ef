"""Draws of generations: determined by the seed, distributed as the probabilities say, equal in all programs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.sampling.options import GenerateOptions
from compute.selftest import reference

from helpers.generations import CONFIG, FLAT, PROMPT, outcome, run, start
from helpers.gpu import fixed_logits
from helpers.letters import Letters
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu


def test_the_seed_determines_the_tokens(engine: Engine) -> None:
    one, same, other = (outcome(run(engine, temperature=1.5, seed=seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_their_probabilities(device: wgpu.GPUDevice, temperature: float) -> None:
    logits = np.array([1.0, 0.0, -0.5, 0.7, 0.2, -20.0])
    engine = Engine.load(fixed_logits(FLAT, logits), LoadOptions(context=1, trace=False))
    draws = 800
    steps = run(engine, "a", max_new_tokens=draws, temperature=temperature, seed=11).steps
    expected = reference.distribution(logits, temperature)[:5] * draws
    counts = np.bincount([step.token for step in steps], minlength=6)[:5]
    assert counts.sum() == draws
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 18.5  # 4 degrees of freedom: exceeded by chance once in 1,000 tests
    # Consecutive draws are independent: equal pairs are as frequent as by chance.
    same = np.mean([a.token == b.token for a, b in pairwise(steps)])
    assert same == pytest.approx(((expected / draws) ** 2).sum(), abs=0.05)
    for step in steps[:5]:
        assert step.probability == pytest.approx(expected[step.token] / draws, rel=1e-4)


@pytest.mark.parametrize(("layout", "program"), [("texture", "rows"), ("buffer", "fused")])
def test_tokens_are_the_same_with_and_without_tracing_and_cache(
    device: wgpu.GPUDevice, layout: str, program: str
) -> None:
    model = tiny_model(CONFIG)
    options: dict[str, Any] = {"max_new_tokens": 14, "temperature": 0.9, "seed": 3}
    traced = Engine.load(model, LoadOptions(context=40, layout=layout, program=program))
    untraced = Engine.load(model, LoadOptions(context=40, layout=layout, program=program, trace=False))
    assert len(untraced.registry) < len(traced.registry)
    wanted = run(traced, **options).tokens
    assert run(untraced, **options).tokens == wanted
    # Without the cache: a new generation for every token, whose only pass computes all rows.
    tokens = wanted[: len(PROMPT)]
    for step in range(14):
        generation = start(traced, Letters(26).decode(tokens), **options | {"max_new_tokens": 1})
        generation._planned = step  # the index of the draw, which selects its random numbers
        generation.options = replace(generation.options, max_new_tokens=step + 1)
        generation.step()
        tokens = generation.tokens
    assert tokens == wanted


def test_token_text_replaces_the_texts_of_records(engine: Engine) -> None:
    letters = Letters(engine.config.vocabulary, ends=False)
    options = GenerateOptions(max_new_tokens=1, context=40, top=3)
    generation = Generation(engine, letters, PROMPT, options, token_text=lambda token: f"<{token}>")  # type: ignore[arg-type]
    generation.run()
    (step,) = generation.steps
    assert [step.text, *(c.text for c in step.top)] == [f"<{t}>" for t in (step.token, *(c.token for c in step.top))]
    assert generation.continuation == letters.token_text(step.token)
