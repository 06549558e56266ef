"""The replay of known tokens: the passes of the generation, for any step, in any order."""

from __future__ import annotations

import numpy as np
import pytest

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.replay import KnownText, Replay
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.views.statistics import StatisticsPass
from compute.views.statistics_table import STATISTICS, read_table
from compute.views.strip import StripPass

from helpers.captured_steps import Tapped
from helpers.letters import Letters
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

CONFIG = ModelConfig(layers=2, heads=2, channels=16, positions=20, vocabulary=21, padded_vocabulary=24)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(tiny_model(CONFIG), LoadOptions(context=20))


def generated(engine: Engine, context: int, count: int = 25) -> Tapped:
    options = GenerateOptions(max_new_tokens=count, context=context, temperature=0.9, seed=5, repetition_penalty=1.2)
    return Tapped(engine, Letters(21, ends=False), "abcde", options)


@pytest.mark.parametrize("context", [8, 20])
def test_replaying_step_by_step_gives_the_same_numbers(engine: Engine, context: int) -> None:
    run = generated(engine, context)
    engine.mark_cached((), 0)  # its cached rows may be from a different kind of pass
    replay = Replay(engine, run.text, 0xFFFFFF)
    measure = StatisticsPass(engine)
    live = [tensor for tensor in engine.registry if tensor.kept and tensor.kind != "weight"]
    for index, (draw, measured) in enumerate(zip(run.draws, run.measured, strict=True)):
        assert replay.go(index) == draw
        np.testing.assert_array_equal(replay.logits(), measured.logits)
        assert measured.statistics is not None
        assert read_table(measure, live).tobytes() == measured.statistics.tobytes()


@pytest.mark.parametrize("context", [8, 20])
def test_any_order_of_steps_gives_the_right_passes(engine: Engine, context: int) -> None:
    run = generated(engine, context)
    replay = Replay(engine, run.text, 0xFFFFFF)
    strip = StripPass(engine)
    order = np.random.default_rng(3).permutation(25)
    pictures: dict[int, np.ndarray] = {}
    for index in [*order, *order[::-1]]:
        replay.go(int(index))
        assert replay.at == index
        np.testing.assert_allclose(replay.logits(), run.measured[index].logits, rtol=0, atol=1e-4)
        assert engine.registry.rows == min(5 + index, context)
        strip.update()
        picture = strip.read().astype(int)
        known = pictures.setdefault(index, picture)
        assert (np.abs(picture - known) > 8).mean() < 1e-3


def test_the_pass_after_the_last_token_can_be_replayed(engine: Engine) -> None:
    run = generated(engine, 20, count=4)
    replay = Replay(engine, run.text, 0xFFFFFF)
    replay.go(4)
    assert engine.registry.rows == 9
    with pytest.raises(IndexError):
        replay.go(5)


def test_draws_do_not_change_the_text(engine: Engine) -> None:
    run = generated(engine, 20, count=6)
    forced = KnownText(run.text.prompt_tokens, [(token + 1) % 21 for token in run.text.tokens], run.text.options)
    replay = Replay(engine, forced, 0xFFFFFF)
    for index in range(6):
        replay.go(index)
    stepwise = replay.logits()
    once = Replay(engine, forced, 0xFFFFFF)
    once.go(5)
    np.testing.assert_allclose(stepwise, once.logits(), rtol=0, atol=1e-4)


def test_advance_works_in_slices_and_finishes_a_pass_it_began(engine: Engine) -> None:
    run = generated(engine, 20, count=10)
    replay = Replay(engine, run.text, 0xFFFFFF)
    replay.seek(9)
    calls = 1
    while not replay.advance(1e-9):
        assert replay.pass_complete == (replay.at is not None)
        if calls == 3:
            replay.seek(2)  # another step is requested in the middle of a pass
        calls += 1
    assert calls > 10
    assert (replay.at, replay.pass_complete) == (2, True)
    wanted = run.measured[2].logits
    assert wanted is not None
    np.testing.assert_allclose(replay.logits(), wanted, rtol=0, atol=1e-4)
    assert not replay.advance(1.0), "nothing is requested"


def test_unknown_tokens_and_long_contexts_are_refused(engine: Engine) -> None:
    options = GenerateOptions(max_new_tokens=2, context=20)
    for prompt, tokens in (([1, 21], [2]), ([1], [-1])):
        with pytest.raises(UsageError, match="has 21 tokens"):
            Replay(engine, KnownText(prompt, tokens, options), 0)
    with pytest.raises(UsageError, match="context=21: must be from 1 to 20"):
        Replay(engine, KnownText([1], [2], GenerateOptions(context=21)), 0)


def test_the_table_agrees_with_the_statistics(engine: Engine) -> None:
    run = generated(engine, 20, count=3)
    statistics = StatisticsPass(engine).read()
    live = run.measured[-1].statistics
    weights = run.measured[-1].weight_statistics
    for table, records in ((run.capturer.live, live), (run.capturer.weights, weights)):
        assert table is not None
        assert records is not None
        for tensor, record in zip(table.tensors, records, strict=True):
            known = statistics[tensor.name]
            for name in STATISTICS.names or ():
                wanted = getattr(known, name)
                # A sum that is accumulated row by row is rounded differently.
                off = 1e-6 * known.absmax if name == "mean" else 0
                assert abs(record[name] - (-1 if wanted is None else wanted)) <= off, (tensor.name, name)
