"""The frame loop on a canvas in memory, with a run that needs no model."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from atlas_viewer.app import model_loading
from atlas_viewer.cli.option_names import command_line_option
from atlas_viewer.scene.plane_view import PlaneView
from atlas_viewer.state.requests import Continue, Generate, Stop, Use
from atlas_viewer.ui import widget_tracking
from compute.errors import CheckpointError, options_spelled
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeGeneration, FakeRunner
from helpers.patience import nap, wait_until
from helpers.viewer_loop import Loop

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def one_loading_step_per_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the number of frames predictable."""
    monkeypatch.setattr(model_loading, "_TIME", 0.0)


def test_loads_after_a_first_frame_then_runs_the_prompt_to_its_end() -> None:
    loop = Loop(4)
    loop.draw(1)
    assert loop.state.loading
    assert loop.state.model is None
    loop.draw(2)
    assert (loop.state.loading_step, loop.state.loaded) == ("weights", 0.5)
    loop.finish()
    run = loop.state.run
    assert run is not None
    assert (run.prompt, len(run.steps), run.stop_reason) == ("one two", 4, "length")
    assert run.continuation == " little girl named Lily"
    assert run.prompt_tokens == [(0, " t0"), (1, " t1")]
    assert not loop.state.loading
    assert loop.runner.strip.painted >= 1


def test_short_steps_of_loading_share_a_frame_and_long_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loading, "_TIME", 3600.0)
    loop = Loop(4)
    loop.draw(2)
    assert loop.state.loading
    loop.draw(1)
    assert not loop.state.loading


def test_the_generation_gets_a_share_of_every_frame_but_never_all() -> None:
    loop = Loop(6)
    loop.finish()
    assert loop.viewer.controller is not None
    generation = loop.viewer.controller.generation
    assert isinstance(generation, FakeGeneration)
    assert all(0.0025 <= budget <= 0.024 for budget in generation.budgets)


def test_requests_are_carried_out() -> None:
    loop = Loop(50)
    loop.draw(8)
    loop.state.requests.append(Stop())
    loop.draw(1)
    run = loop.state.run
    assert run is not None
    assert run.stop_reason == "stopped"
    assert len(run.steps) >= 2
    loop.state.requests.append(Use(1))
    loop.draw(1)
    assert loop.state.prompt == "0 1 0 1000"  # prompt tokens, then the tokens of two steps
    loop.state.chosen = 1
    loop.state.requests.append(Generate("three", GenerateOptions(max_new_tokens=2)))
    loop.finish()
    assert loop.state.run is not None
    assert loop.state.run.prompt == "three"
    assert loop.state.chosen is None


def test_changed_options_apply_to_the_next_token() -> None:
    loop = Loop(60)
    loop.draw(9)
    loop.state.options = replace(loop.state.options, temperature=1.5)
    run = loop.state.run
    assert run is not None
    wait_until(lambda: len(run.changes) > 1, "the change is taken", meanwhile=lambda: loop.draw(1))
    (_, first), (step, second) = run.changes.items()
    assert (first.temperature, second.temperature) == (0.8, 1.5)
    assert 0 < step <= len(run.steps)
    assert run.options_at(step - 1).temperature == 0.8
    assert run.options_at(step).temperature == 1.5
    assert not run.done


def test_a_chosen_step_is_replayed_and_its_logits_fetched() -> None:
    loop = Loop(5)
    loop.finish()
    loop.draw(8)
    state = loop.state
    assert state.distribution is not None
    assert (state.distribution.step, loop.runner.replays) == (4, [])  # the engine still contains the last pass
    painted = loop.runner.strip.painted
    state.chosen, state.compared = 1, 3
    loop.draw(16)
    assert state.distribution.step == 1
    assert state.comparison is not None
    assert state.comparison.step == 3
    assert state.distribution.context == (0, 1, 0)
    assert loop.runner.replays == [5]
    assert loop.runner.strip.painted > painted


def test_a_longer_context_is_allocated_between_frames() -> None:
    loop = Loop(4)
    loop.finish()
    loop.state.requests.append(Generate("three", GenerateOptions(max_new_tokens=3, context=400)))
    loop.draw(2)
    assert "400" in loop.state.loading
    loop.draw(6)
    loop.finish()
    assert loop.state.run is not None
    assert (loop.state.run.prompt, loop.state.loading, loop.runner.max_context) == ("three", "", 400)
    loop.state.options = replace(loop.state.options, context=500, max_new_tokens=3)
    loop.state.requests.append(Continue(2))
    loop.draw(20)
    assert not loop.state.messages
    assert (len(loop.state.run.steps), loop.runner.max_context) == (5, 500)
    loop.state.requests.append(Generate("too long", GenerateOptions(max_new_tokens=3, context=4000)))
    with options_spelled(command_line_option):
        loop.draw(2)
    assert "--context 4000" in loop.state.messages[-1]


def test_a_refused_prompt_is_reported_and_the_window_stays_open() -> None:
    loop = Loop(2)
    loop.finish()
    loop.state.requests.append(Generate("bad", loop.state.options))
    loop.draw(2)
    assert loop.state.messages == ["prompt: it is bad; write another"]
    loop.state.requests.append(Generate("good", loop.state.options))
    loop.finish()
    assert loop.state.messages == []


def test_the_scene_is_drawn_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, int]] = []
    original = PlaneView.draw

    def counted(self: PlaneView, view: object, width: int, height: int) -> object:
        drawn.append((width, height))
        return original(self, view, width, height)  # type: ignore[arg-type]

    monkeypatch.setattr(PlaneView, "draw", counted)
    loop = Loop(3)
    loop.finish()
    loop.draw(1)
    count = len(drawn)
    loop.draw(3)
    assert len(drawn) == count
    loop.state.camera.wheel(500, 0.5, 0.5)
    loop.draw(2)
    assert len(drawn) == count + 1
    loop.canvas.set_logical_size(1200, 700)
    loop.draw(2)
    assert drawn[-1][0] > drawn[-2][0]


def test_a_resized_picture_is_drawn_in_the_frame_that_resizes_it() -> None:
    loop = Loop(2)
    loop.finish()
    loop.draw(4)
    for size in ((800, 600), (1200, 700)):
        loop.canvas.set_logical_size(*size)
        first, second = (np.asarray(loop.canvas.draw())[..., :3].copy() for _ in range(2))
        rect = widget_tracking.rects["picture"]
        region = np.s_[int(rect.top) : int(rect.bottom), int(rect.left) : int(rect.right)]
        assert (rect.right - rect.left, rect.bottom - rect.top) == loop.state.ui.picture_sizes["Atlas"]
        assert first[region].std() > 50, "noise fills the picture"
        np.testing.assert_array_equal(first[region], second[region])


def test_a_model_that_cannot_be_loaded_closes_the_window_with_its_error() -> None:
    loop = Loop(1)

    def load() -> Loading[FakeRunner]:
        yield "weights", 0.5
        raise CheckpointError("model.bin: it is no model; give another")

    loop.viewer.load(load(), "fake")
    with pytest.raises(CheckpointError, match=r"model\.bin"):
        loop.draw(6)
    assert loop.canvas.get_closed()


def test_a_late_frame_that_shows_an_event_is_followed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next frame shows what a panel changes in one, however late that one is."""
    monkeypatch.setattr("atlas_viewer.app.viewer._AWAKE", 0.01)
    loop = Loop(2)
    loop.finish()
    for _ in range(20):
        loop.draw(1)
    nap()
    loop.draw(1)
    assert not loop.viewer._wants_frames(time.perf_counter() + 1)
    loop.viewer._on_event({"event_type": "pointer_leave"})
    nap()
    before = time.perf_counter()
    loop.draw(1)
    assert loop.viewer._wants_frames(before)
