"""The Attribution panel of a real model shows what `attribute` returns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.attribution_view import NEURONS, STREAM, Shown
from atlas_viewer.state.navigation import open_attribution
from atlas_viewer.state.requests import Continue
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.api.attribution import Attribution
from compute.api.model import Model
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu
PROMPT = "Once upon a time, there was a"


class Window:
    """A viewer of `stories` after four tokens, with Attribution in front."""

    def __init__(self, runner: ModelRunner) -> None:
        options = GenerateOptions(max_new_tokens=4, temperature=0)
        self.generation = runner.start(PROMPT, options)
        self.generation.run()
        self.canvas = open_picture((1280, 720))
        self.state = State(PROMPT, options, live=False)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, self.generation, PROMPT)
        open_attribution(self.state)
        self.settle()

    def settle(self) -> Shown:
        """Draw until nothing is pending; returns what the panel then shows."""
        view = self.state.attribution
        for _ in range(80):
            self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure
            poll(shared_device(), wait=True)
            idle = not self.viewer._displays.pending and not self.state.requests and not self.state.busy
            assert self.viewer.controller is not None
            if idle and not self.viewer.controller.pending and view.current and view.shown is not None:
                self.canvas.draw()
                return view.shown
        raise AssertionError(f"the panel never settles: {view}")

    @property
    def tokens(self) -> list[int]:
        """All tokens of the run on screen."""
        run = self.state.run
        assert run is not None
        return [*(token for token, _ in run.prompt_tokens), *(step.token for step in run.steps)]


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    return ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))


@pytest.fixture(scope="module")
def model() -> Model:
    return atlas_viewer.load("stories", context=64)


@pytest.fixture
def window(runner: ModelRunner) -> Iterator[Window]:
    made = Window(runner)
    yield made
    made.canvas.close()


def _check(shown: Shown, expected: Attribution) -> None:
    """The panel has the parts of `expected`, and they sum to the logit."""
    assert (shown.aim.target, shown.aim.against) == (expected.target, expected.against)
    assert shown.aim.position == expected.position
    assert shown.parts.logit == pytest.approx(expected.logit, abs=2e-3)
    assert all(check.ok for check in shown.checks)
    assert [(part.name, part.head) for part in shown.parts.parts] == [(p.name, p.head) for p in expected.parts]
    for part, other in zip(shown.parts.parts, expected.parts, strict=True):
        assert part.value == pytest.approx(other.value, abs=2e-3)
        if part.sources is not None:
            assert other.sources is not None
            np.testing.assert_allclose(part.sources, other.sources, atol=2e-3)


def test_the_bars_equal_those_of_the_api_and_follow_the_run(window: Window, model: Model) -> None:
    for _ in range(2):
        shown, tokens = window.settle(), window.tokens
        _check(shown, model.attribute(tokens[:-1], target=tokens[-1]))
        window.state.requests.append(Continue(1))
        window.canvas.draw()


def test_an_earlier_step_another_target_and_position(window: Window, model: Model) -> None:
    state, tokens = window.state, window.tokens
    state.chosen = 1
    _check(window.settle(), model.attribute(tokens[:9], target=tokens[9]))
    state.chosen = None
    window.settle()
    view = state.attribution
    view.target, view.against, view.position = " Lily", "id:262", "5"
    window.canvas.draw()
    _check(window.settle(), model.attribute(tokens[:-1], target=" Lily", against=262, position=5))


def test_a_text_of_several_tokens_is_named_on_one_line(window: Window) -> None:
    view = window.state.attribution
    view.target = " Elara"
    for _ in range(3):
        window.canvas.draw()
    assert view.error.startswith('target " Elara": is 2 tokens, " El" (id:2574), "ara"')
    assert "\n" not in view.error
    assert view.shown is not None, "the earlier parts stay"


def test_the_stream_equals_the_activations(window: Window, model: Model) -> None:
    window.state.attribution.section = STREAM
    window.canvas.draw()
    window.settle()
    stream, tokens = window.state.attribution.stream, window.tokens
    assert stream is not None
    run = model.run(tokens[:-1], keep=list(stream.points))
    rows = np.stack([run[point][-1] for point in stream.points]).astype(np.float64)
    norms = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(stream.norm, norms, rtol=2e-3)
    np.testing.assert_allclose(stream.added[1:], np.linalg.norm(np.diff(rows, axis=0), axis=1), rtol=2e-3)
    np.testing.assert_allclose(stream.cosine, rows @ rows[-1] / (norms * norms[-1]), atol=2e-3)
    assert {"plot norm of the stream", "plot norm added"} <= set(widget_tracking.rects)


def test_the_weight_rows_equal_the_weights(window: Window, model: Model) -> None:
    view = window.state.attribution
    view.section = NEURONS
    window.canvas.draw()
    shown = window.settle()
    assert len(view.rows) == len(shown.parts.neurons) == 50
    for neuron in shown.parts.neurons:
        row = view.rows[neuron.reads, neuron.index]
        np.testing.assert_allclose(row, model.weights[neuron.reads][neuron.index], rtol=8e-3, atol=1e-6)


def test_a_hidden_panel_computes_nothing(window: Window, runner: ModelRunner) -> None:
    state = window.state
    state.ui.front = state.ui.view = "Map"
    for _ in range(3):
        window.canvas.draw()
    before = state.attribution.shown
    state.requests.append(Continue(1))
    for _ in range(20):
        window.canvas.draw()
        poll(shared_device(), wait=True)
    assert state.attribution.shown is before
    assert not runner.attribution.pending
