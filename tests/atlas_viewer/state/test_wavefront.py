"""The slow motion of a pass as plain values: its order, its time, and what it lights up."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.state import wavefront_control
from atlas_viewer.state.map_addresses import box_of
from atlas_viewer.state.spotlight import NOTHING, Spotlight
from atlas_viewer.state.state import State
from atlas_viewer.state.wavefront import Wavefront, steps_of
from compute.models.architectures import describe
from compute.models.tensor_index import TensorIndex

from helpers.map_registry import STORIES
from helpers.walk_states import ROWS, paused_state

DESCRIPTION = describe(STORIES)
NAMES = [step.name for step in steps_of(DESCRIPTION)]


@pytest.fixture
def state() -> State:
    return paused_state()


def is_dimmed(light: Spotlight, box: tuple[int, int, int, int]) -> bool:
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    boxes = light.dimmed
    return bool(np.any((boxes[:, 0] <= x) & (x < boxes[:, 0] + boxes[:, 2]) & (boxes[:, 1] <= y) & (
        y < boxes[:, 1] + boxes[:, 3])))  # fmt: skip


def test_every_tensor_comes_after_those_that_it_is_computed_from() -> None:
    seen: set[str] = set()
    for step in steps_of(DESCRIPTION):
        operation = DESCRIPTION.outputs.get(step.name)
        inputs = operation.inputs if operation is not None else (DESCRIPTION.patterns[step.name].query.source,)
        assert {DESCRIPTION.canonical(name) for name in inputs} <= seen, step.name
        assert step.about
        seen.add(step.name)
    assert seen == {name for name in DESCRIPTION.outputs if name not in DESCRIPTION.aliases} | set(DESCRIPTION.patterns)


def test_time_moves_it_on_and_it_ends_at_the_logits() -> None:
    wave = Wavefront()
    wave.begin(DESCRIPTION)
    for tick in range(3):
        wave.advance(tick * 0.5)
    assert 1 <= wave.index <= 4
    for tick in range(200):
        wave.advance(2 + tick * 0.5)
    assert wave.step.name == "logits"
    assert not wave.playing
    wave.play()
    assert wave.index == 0


def test_a_pause_costs_no_time_and_the_scrubber_pauses() -> None:
    wave = Wavefront()
    wave.begin(DESCRIPTION)
    wave.advance(0.0)
    wave.play()
    wave.advance(50.0)
    wave.play()
    wave.advance(100.0)
    assert wave.index == 0
    wave.seek(10_000)
    assert (wave.step.name, wave.playing) == ("logits", False)


def test_only_the_new_row_of_what_has_been_computed_is_bright(state: State) -> None:
    registry, layout = state.map.registry, state.map.layout
    assert registry is not None
    assert layout is not None
    wave = state.wavefront
    wave.begin(DESCRIPTION)
    wave.seek(NAMES.index("h.2.mlp.c_fc"))
    wavefront_control.frame(state)
    light = state.map.spotlight

    def dimmed(name: str, *index: int) -> bool:
        return is_dimmed(light, box_of(TensorIndex(name, index), layout))

    for name, row in (("h.2.mlp.c_fc", (ROWS - 1, 700)), ("h.0.ln_1", (ROWS - 1, 3)), ("embed.sum", (ROWS - 1, 0))):
        assert not dimmed(name, *row), name
        assert dimmed(name, ROWS - 2, row[1]), name
    assert not dimmed("h.1.attn.pattern", 4, ROWS - 1, 2)
    assert dimmed("h.1.attn.pattern", 4, ROWS - 2, 2)
    assert dimmed("h.2.mlp.gelu", ROWS - 1, 0)
    assert dimmed("logits", 5)
    assert not dimmed("h.2.mlp.c_fc.weight", 100, 100)
    assert dimmed("h.1.mlp.c_fc.weight", 100, 100)
    wave.seek(10_000)
    wavefront_control.frame(state)
    light = state.map.spotlight
    assert not dimmed("logits", 5)


def test_it_waits_for_its_token_and_ends_when_the_run_goes_on(state: State) -> None:
    wave, run = state.wavefront, state.run
    assert run is not None
    wave.begin(DESCRIPTION)
    wave.waits = True
    run.done = False
    wavefront_control.frame(state)
    wave.advance(0.0)
    wave.advance(10.0)
    assert (wave.waits, wave.index) == (True, 0)
    run.done = True
    wavefront_control.frame(state)
    assert not wave.waits
    run.done = False
    wavefront_control.frame(state)
    assert not wave.on
    assert state.map.spotlight is NOTHING
