"""Runs that continue after earlier steps: forks, single steps, and reuse of cached rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compute.api.activation_reader import ActivationReader
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.generate.steps import StepRecord
from compute.sampling.options import GenerateOptions

from helpers.generations import CONFIG
from helpers.letters import Letters
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

OPTIONS = GenerateOptions(max_new_tokens=12, context=40, temperature=1.0, seed=3, top=3)


def generation(
    engine: Engine, prompt: str, options: GenerateOptions, steps: list[StepRecord] | None = None
) -> Generation:
    return Generation(engine, Letters(26, ends=False), prompt, options, steps=steps or ())  # type: ignore[arg-type]


def finished(
    engine: Engine, prompt: str, options: GenerateOptions, steps: list[StepRecord] | None = None
) -> Generation:
    made = generation(engine, prompt, options, steps)
    made.run()
    return made


@pytest.mark.parametrize("context", [40, 15])
def test_a_run_in_parts_equals_a_whole_run(engine: Engine, context: int) -> None:
    """One token per generation object, also where the context slides."""
    options = replace(OPTIONS, context=context)
    whole = finished(engine, "onceupon", options)
    steps: list[StepRecord] = []
    for count in range(1, 13):
        part = finished(engine, "onceupon", replace(options, max_new_tokens=count), steps)
        assert part.stop_reason == "length"
        assert [step.index for step in part.steps] == list(range(count))
        steps = part.steps
    assert [step.token for step in steps] == [step.token for step in whole.steps]
    logits = [[step.logit for step in run.steps] for run in (whole, part)]
    assert np.abs(np.subtract(logits[0], logits[1])).max() < 1e-4


def test_a_fork_continues_after_a_different_token(engine: Engine) -> None:
    whole = finished(engine, "onceupon", OPTIONS)
    other = (whole.steps[4].token + 1) % 26
    steps = [*whole.steps[:4], replace(whole.steps[4], token=other)]
    fork = finished(engine, "onceupon", OPTIONS, steps)
    assert fork.tokens[: 8 + 5] == [*whole.tokens[: 8 + 4], other]
    assert len(fork.steps) == 12
    # A new run with the same text as its prompt gives the same logits, without cached rows.
    rows, logits = ActivationReader(engine).read(["h.1.resid_post"])["h.1.resid_post"], engine.read_logits()
    text = "".join(chr(97 + token) for token in fork.tokens[:-1])
    fresh = finished(Engine.load(tiny_model(CONFIG), LoadOptions(context=40)), text, replace(OPTIONS, max_new_tokens=1))
    assert np.abs(fresh.engine.read_logits() - logits).max() < 1e-4
    computed = ActivationReader(fresh.engine).read(["h.1.resid_post"])["h.1.resid_post"]
    assert np.abs(computed - rows).max() < 1e-4


def test_cached_rows_are_not_computed_again(engine: Engine) -> None:
    whole = finished(engine, "onceupon", OPTIONS)
    assert engine.cached_prefix(whole.tokens) == len(whole.tokens) - 1
    assert engine.cached_prefix(whole.tokens[:10]) == 10
    assert engine.cached_prefix([*whole.tokens[:9], 25 - whole.tokens[9]]) == 9
    assert engine.cached_prefix([]) == 0
    stopped = generation(engine, "another", OPTIONS)
    assert engine.cached_prefix(stopped.tokens) == 0  # none of it has run
    stopped.stop()
    finished(engine, "slides", replace(OPTIONS, context=8))
    assert engine.cached_prefix([*b"slides"]) == 0


def test_a_new_run_of_the_same_text_reuses_no_rows(engine: Engine) -> None:
    first = finished(engine, "onceupon", OPTIONS)
    again = generation(engine, "onceupon", OPTIONS)
    assert engine.cached_prefix(again.tokens) == 0
    again.run()
    assert [(s.token, s.logit) for s in again.steps] == [(s.token, s.logit) for s in first.steps]


def test_enough_earlier_steps_end_a_run_at_once(engine: Engine) -> None:
    whole = finished(engine, "onceupon", OPTIONS)
    made = generation(engine, "onceupon", replace(OPTIONS, max_new_tokens=5), whole.steps)
    assert (made.done, made.stop_reason) == (True, "length")
    assert made.continuation == whole.continuation
