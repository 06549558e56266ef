"""Generations: in slices as a frame loop runs them, stopped, and ended for every reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import wgpu

from compute.errors import DeviceError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.gpu import wgpu_native
from compute.selftest import reference
from compute.weights.random_model import RandomModel

from helpers.generations import CONFIG, FLAT, PROMPT, outcome, run, start
from helpers.gpu import fixed_logits
from helpers.letters import Letters
from helpers.make_models import tiny_model
from helpers.patience import nap, wait_until

pytestmark = pytest.mark.gpu


def advance_to_end(generation: Generation, budget_s: float) -> int:
    """Advance to the end like a frame loop. Returns the number of calls."""
    calls = 0

    def advance() -> None:
        nonlocal calls
        generation.advance(budget_s)
        calls += 1

    wait_until(lambda: generation.done, "the generation ends", meanwhile=advance)
    return calls


# -- slices


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("budget_s", "context"), [(1e-9, 40), (1e-9, 10), (1e-4, 30), (1.0, 40)])
def test_any_budget_gives_the_steps_of_a_run(engine: Engine, budget_s: float, context: int, temperature: float) -> None:
    whole = run(engine, context=context, temperature=temperature, seed=4)
    sliced = start(engine, context=context, temperature=temperature, seed=4)
    calls = advance_to_end(sliced, budget_s)
    assert outcome(sliced) == outcome(whole)
    assert (sliced.text, sliced.stop_reason) == (whole.text, "length")
    assert len(sliced.steps) == 12
    if budget_s == 1e-9:
        assert calls > 100  # one dispatch per call


def test_a_small_budget_submits_small_slices(engine: Engine) -> None:
    generation = start(engine)
    seen = set()
    while not generation.done:
        generation.advance(1e-9)
        assert 0 <= generation.progress <= 1
        seen.add(generation.progress)
    assert len(seen) > 20


def test_step_gives_the_steps_of_a_run(engine: Engine) -> None:
    whole = run(engine, temperature=1.0, context=20)
    stepped = start(engine, temperature=1.0, context=20)
    for count in range(1, 13):
        stepped.step()
        assert len(stepped.steps) == count
        # The engine's logits are those of this step.
        assert engine.read_logits()[stepped.steps[-1].token] == stepped.steps[-1].logit
    assert stepped.done
    assert outcome(stepped) == outcome(whole)


def test_advance_never_blocks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: list[str] = []
    real = wgpu_native.poll

    def poll(device: wgpu.GPUDevice, *, wait: bool = False) -> None:
        if wait:
            blocked.append("poll")
        real(device, wait=wait)

    monkeypatch.setattr("compute.generate.generator.poll", poll)
    for owner, name in ((wgpu.GPUQueue, "read_buffer"), (wgpu.GPUBuffer, "map_sync"), (wgpu.GPUQueue, "read_texture")):
        for kind in (owner, *owner.__subclasses__()):
            if name in vars(kind):
                monkeypatch.setattr(kind, name, lambda *_, name=name, **__: blocked.append(name))
    generation = start(engine, max_new_tokens=30, context=20)
    advance_to_end(generation, 2e-3)
    assert blocked == []
    assert len(generation.steps) == 30
    # The patches above record blocking calls.
    start(engine).step()
    engine.device.queue.read_buffer(engine.sampler.result, 0, 16)
    assert "poll" in blocked
    assert "read_buffer" in blocked


def test_advance_reports_when_there_is_something_to_show(engine: Engine) -> None:
    generation = start(engine)
    shown = 0
    while not generation.done:
        before = len(generation.steps)
        changed = generation.advance(1e-9)
        if len(generation.steps) > before or generation.done:
            assert changed
        shown += changed
        if changed:
            assert engine.registry.rows >= len(PROMPT)
    assert shown >= 12
    assert not generation.advance(1.0)


# -- contexts


@pytest.mark.parametrize("context", [1, 2, 16, 17, 40])
def test_the_context_slides_past_the_positions(engine: Engine, context: int) -> None:
    model = tiny_model(CONFIG)
    generation = run(engine, context=context, max_new_tokens=20, temperature=0)
    tokens = [*generation.prompt_tokens]
    for step in generation.steps:
        count = min(len(tokens), context)
        assert (step.context_start, step.context_length) == (len(tokens) - count, count)
        start_position = min(len(tokens) - count, CONFIG.positions - count)
        logits = reference.forward(model, tokens[-count:], start_position)["logits"][: CONFIG.vocabulary]
        assert abs(step.logit - logits[step.token]) <= 2e-3
        assert logits[step.token] >= logits.max() - 4e-3
        assert step.model_probability == pytest.approx(reference.softmax(logits)[step.token], abs=2e-3)
        tokens.append(step.token)
    assert generation.tokens == tokens
    assert engine.registry.rows == generation.steps[-1].context_length
    assert generation.text == Letters(26).decode(tokens)


def test_a_prompt_longer_than_the_context(engine: Engine) -> None:
    long, tail = PROMPT * 3, (PROMPT * 3)[-8:]
    steps = run(engine, long, context=8, temperature=0).steps
    assert steps[0].context_start == len(long) - 8
    # Logits depend on the positions, so the reference must use those of the engine: both contexts end at 40.
    first = reference.forward(tiny_model(CONFIG), Letters(26).encode(tail), 32)["logits"]
    assert abs(first[steps[0].token] - steps[0].logit) <= 2e-3


def test_pass_complete_is_false_only_while_every_row_is_rewritten(engine: Engine) -> None:
    generation = start(engine, context=6, max_new_tokens=4)
    seen = {generation.pass_complete}
    assert seen == {True}
    while not generation.done:
        changed = generation.advance(1e-9)
        seen.add(generation.pass_complete)
        if changed and not generation.done and generation.progress == 1.0:
            assert generation.pass_complete
    assert seen == {True, False}
    cached = start(engine, context=40, max_new_tokens=4)
    cached.step()
    while not cached.done:
        cached.advance(1e-9)
        assert cached.pass_complete


# -- ends


def test_stop_ends_at_once(engine: Engine) -> None:
    generation = start(engine, max_new_tokens=1000)
    while len(generation.steps) < 3:
        generation.advance(1e-3)
        assert not generation.done
    generation.stop()
    count, text = len(generation.steps), generation.text
    assert (generation.done, generation.stop_reason) == (True, "stopped")
    assert not generation.advance(1.0)
    generation.run()
    assert (len(generation.steps), generation.text) == (count, text)
    rate = generation.tokens_per_second
    nap()
    assert generation.tokens_per_second == rate
    # Its results in flight do not reach the next generation.
    fresh = run(engine, temperature=0)
    assert outcome(fresh) == outcome(run(engine, temperature=0))


def test_stopping_in_the_middle_of_a_pass_does_not_affect_the_next_run(engine: Engine) -> None:
    wanted = outcome(run(engine, temperature=1.0))
    for calls in (1, 5, 23, 40):
        dropped = start(engine, temperature=0.3, seed=9)
        for _ in range(calls):
            dropped.advance(1e-9)
        dropped.stop()
        assert outcome(run(engine, temperature=1.0)) == wanted


@pytest.fixture(scope="module")
def flat(device: wgpu.GPUDevice) -> Engine:
    """An engine with constant logits. Token 5 ends the text and has probability 0.1."""
    return Engine.load(fixed_logits(FLAT, np.log([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])), LoadOptions(context=1))


def test_end_of_text_ends(flat: Engine) -> None:
    lengths = set()
    for seed in range(12):
        generation = run(flat, "a", max_new_tokens=500, temperature=1.0, seed=seed)
        tokens = [step.token for step in generation.steps]
        assert generation.stop_reason == "end_of_text"
        assert tokens.index(5) == len(tokens) - 1
        assert generation.text == "a" + Letters(6).decode(tokens[:-1])
        lengths.add(len(tokens))
        sliced = start(flat, "a", max_new_tokens=500, temperature=1.0, seed=seed)
        advance_to_end(sliced, 1e-3)
        assert outcome(sliced) == outcome(generation)
    assert len(lengths) > 3


def test_after_end_of_text_the_registry_describes_the_last_step(device: wgpu.GPUDevice) -> None:
    engine = Engine.load(
        fixed_logits(FLAT, np.log([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])), LoadOptions(context=FLAT.positions)
    )
    for seed in range(6):
        generation = run(engine, "abc", max_new_tokens=20, temperature=1.0, seed=seed)
        assert engine.registry.rows == generation.steps[-1].context_length


@pytest.mark.parametrize("context", [3, 40])
@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_after_end_of_text_the_tensors_are_those_of_the_last_step(
    device: wgpu.GPUDevice, layout: str, context: int
) -> None:
    """Passes that were submitted before the end of the text was known must not change anything."""
    config = replace(FLAT, channels=8, positions=40)
    engine = Engine.load(RandomModel(config, seed=3), LoadOptions(context=context, layout=layout))
    ended = 0
    for seed in range(40):
        generation = run(engine, "abc", max_new_tokens=30, temperature=30.0, seed=seed, context=context)
        wgpu_native.poll(engine.device, wait=True)
        if generation.stop_reason == "end_of_text" and len(generation.steps) > 1:
            ended += 1
            last = generation.steps[-1]
            assert engine.read_logits()[last.token] == np.float32(last.logit)
    assert ended > 5


def test_a_stalled_pass_is_an_error(device: wgpu.GPUDevice) -> None:
    engine = Engine.load(tiny_model(CONFIG), LoadOptions(context=40))
    flag = engine.device.create_buffer(
        size=4, usage=wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.STORAGE
    )
    engine.decode.stall_flag = flag
    assert len(run(engine, max_new_tokens=3).steps) == 3
    engine.device.queue.write_buffer(flag, 0, b"\1\0\0\0")
    generation = start(engine, max_new_tokens=3)
    with pytest.raises(DeviceError, match='program="fused"'):
        generation.run()
    assert generation.done


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_without_a_finite_logit_it_ends(device: wgpu.GPUDevice, temperature: float) -> None:
    engine = Engine.load(fixed_logits(FLAT, np.full(6, np.nan)), LoadOptions(context=4))
    generation = run(engine, "abc", temperature=temperature)
    assert (generation.stop_reason, generation.steps, generation.text) == ("nonfinite", [], "abc")
    sliced = start(engine, "abc", temperature=temperature)
    advance_to_end(sliced, 1e-9)
    assert (sliced.stop_reason, sliced.steps) == ("nonfinite", [])


BAD_OPTIONS = (
    {"context": 41}, {"context": 0}, {"max_new_tokens": 0}, {"temperature": -1.0}, {"temperature": float("nan")},
    {"seed": -1}, {"seed": 2**32}, {"top": 27},
)  # fmt: skip


@pytest.mark.parametrize("options", BAD_OPTIONS)
def test_invalid_options_are_refused(engine: Engine, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^\w+=[-\w.]+: must be "):
        start(engine, **options)
