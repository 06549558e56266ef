"""The Attention view of a real model in a viewer whose frames are drawn by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import wgpu

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.attention_view import ORDERS
from atlas_viewer.state.navigation import open_attention, open_strip
from atlas_viewer.state.requests import Continue
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.selftest import attention_model
from compute.selftest.attention_views import all_scores
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu
PROMPT = "Once upon a time, there was a"


class Window:
    """A viewer of `stories` after four tokens, with Attention in front."""

    def __init__(self, runner: ModelRunner) -> None:
        options = GenerateOptions(max_new_tokens=4, temperature=0)
        generation = runner.start(PROMPT, options)
        generation.run()
        self.canvas = open_picture((1280, 720))
        self.state = State(PROMPT, options, live=False)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, generation, PROMPT)
        open_attention(self.state)
        self.settle()

    def frames(self, count: int) -> np.ndarray:
        """Draw frames; returns the last one, uint8 [height, width, 4]."""
        for _ in range(count):
            image = self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure
        return np.asarray(image)

    def settle(self) -> None:
        """Draw until nothing is pending."""
        displays = self.viewer._displays
        for _ in range(60):
            self.frames(1)
            poll(shared_device(), wait=True)
            if not displays.pending and self.state.attention.current_line is not None and not self.state.busy:
                self.frames(2)
                return
        raise AssertionError("the view never settles")


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    return ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))


@pytest.fixture
def window(runner: ModelRunner) -> Iterator[Window]:
    made = Window(runner)
    yield made
    made.canvas.close()


def test_the_view_shows_the_weights_of_the_latest_pass_and_follows_the_run(window: Window, runner: ModelRunner) -> None:
    view, state = window.state.attention, window.state
    for rows in (11, 12):
        assert view.rows == view.rows_ready == rows
        line = view.current_line
        assert line is not None
        expected = attention_model.weights(all_scores(runner.engine))
        np.testing.assert_allclose(line.query_weights, expected[view.chosen, rows - 1], atol=1e-5)
        assert view.statistics is not None
        assert view.statistics.rows == rows
        np.testing.assert_allclose(view.statistics.of("first"), expected[:, 1:, 0].mean(-1), atol=1e-5)
        state.requests.append(Continue(1))
        window.frames(3)
        window.settle()


def test_another_head_order_and_theme_are_shown(window: Window) -> None:
    view, state = window.state.attention, window.state
    pictures = [window.frames(2)]
    view.chosen = 20
    window.settle()
    pictures.append(window.frames(2))
    view.order = ORDERS[1]
    window.settle()
    pictures.append(window.frames(2))
    state.ui.theme = "light"
    window.settle()
    pictures.append(window.frames(2))
    assert all((one != other).any() for one, other in itertools.pairwise(pictures))
    assert (window.frames(1) == pictures[-1]).all(), "nothing changes by itself"


def test_no_frame_waits_for_the_gpu(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: object, **__: object) -> None:
        raise AssertionError("a frame waits for the GPU")

    queue = type(shared_device().queue)
    for name in ("read_buffer", "read_texture"):
        monkeypatch.setattr(queue, name, wait)
    monkeypatch.setattr(wgpu.GPUBuffer, "map_sync", wait, raising=False)
    window.state.requests.append(Continue(1))
    window.state.attention.order = ORDERS[3]
    window.frames(20)


def test_a_hidden_view_computes_nothing(window: Window, runner: ModelRunner) -> None:
    open_strip(window.state)
    window.frames(4)
    wall = runner.attention.wall
    rows = wall.rows
    window.state.requests.append(Continue(1))
    window.frames(10)
    assert wall.rows == rows
    open_attention(window.state)
    window.frames(4)
    window.settle()
    assert wall.rows == rows + 1


def test_a_model_without_heads_is_explained(window: Window) -> None:
    display, view = window.viewer._displays._attention, window.state.attention
    display.follow(None, "this recording has no values")
    assert view.problem == "this recording has no values"
    assert not display.pending
    display.draw()
    assert view.heads == ()
