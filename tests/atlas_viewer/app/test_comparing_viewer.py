"""A compared with B in a viewer of a real model: values, predictions, pictures, and what happens when B cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list, navigation
from atlas_viewer.state.comparing import DIFFERENCE, EDITS, MODEL, PROMPT, RELATIVE, RUN, STEP, A, B, Choice
from atlas_viewer.state.navigation import LENS
from atlas_viewer.state.requests import Branch, Continue
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.api.model import Model
from compute.errors import MemoryBudgetError
from compute.forward.load_options import LoadOptions
from compute.forward.model_memory import ModelMemory
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.views.difference import DifferencePass
from compute.weights.checkpoint import open_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
PROMPT_TEXT = "Once upon a time, there was a"
EDIT = "h.2.attn.out[head=4] = 0"


class Window:
    """A viewer of `stories` after four tokens, with Strip in front."""

    def __init__(self, runner: ModelRunner) -> None:
        options = GenerateOptions(max_new_tokens=4, temperature=0, context=64)
        self.generation = runner.start(PROMPT_TEXT, options)
        self.generation.run()
        self.canvas = open_picture((1280, 720))
        self.state = State(PROMPT_TEXT, options, live=False)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, self.generation, PROMPT_TEXT)
        navigation.open_strip(self.state)
        self.settle()

    def settle(self) -> None:
        """Draw until nothing is pending."""
        for _ in range(3):
            self.canvas.draw()
        for _ in range(400):
            self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure
            poll(shared_device(), wait=True)
            controller, updater = self.viewer.controller, self.viewer.updater
            assert controller is not None
            busy = self.state.requests or self.state.busy or controller.pending or self.viewer._displays.pending
            if not busy and not (updater is not None and updater.pending):
                self.canvas.draw()
                return
        raise AssertionError(f"never settles: {self.state.comparing}")

    def compare(self, choice: Choice) -> None:
        """Choose B and wait for it."""
        self.state.comparing.choose(choice)
        self.settle()

    def strip(self) -> np.ndarray:
        """The cells of Strip as they are painted, uint8 [360, 640, 4]."""
        painter = self.viewer._displays._strip._painter
        assert painter is not None
        data = shared_device().queue.read_texture(
            {"texture": painter.texture}, {"bytes_per_row": 2560, "rows_per_image": 360}, (640, 360, 1)
        )
        return np.frombuffer(data, np.uint8).reshape(360, 640, 4)

    @property
    def tokens(self) -> list[int]:
        """The tokens of the pass of the step on screen."""
        run = self.state.run
        assert run is not None
        return [*(token for token, _ in run.prompt_tokens), *(step.token for step in run.steps[:-1])]


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    return ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))


@pytest.fixture(scope="module")
def model() -> Model:
    return atlas_viewer.load("stories", context=64)


@pytest.fixture
def window(runner: ModelRunner) -> Iterator[Window]:
    runner.set_edits(())
    made = Window(runner)
    yield made
    made.state.comparing.choose(None)
    made.canvas.draw()
    made.canvas.close()


def test_edits_against_none(window: Window, model: Model) -> None:
    before = window.strip()
    window.compare(Choice(EDITS, text=EDIT))
    comparing, tokens = window.state.comparing, window.tokens
    assert (comparing.problem, comparing.note, comparing.shown) == ("", "", DIFFERENCE)
    found = atlas_viewer.compare(model, model, prompt=tokens, edits_b=EDIT)
    assert comparing.predictions is not None
    assert comparing.predictions.kl == pytest.approx(found.kl, rel=1e-2, abs=1e-6)
    assert {row.token for row in comparing.predictions.rows} >= {change.token for change in found.top[:5]}
    plain, edited = model.run(tokens), model.run(tokens, edits=EDIT)
    for row in comparing.predictions.rows:
        assert row.logit_a == pytest.approx(plain.logits[-1, row.token], abs=2e-3)
        assert row.delta == pytest.approx(plain.logits[-1, row.token] - edited.logits[-1, row.token], abs=4e-3)
    # The statistics in the inspection are those of the difference.
    differing = {tensor.name: tensor.max_abs for tensor in found.tensors}
    statistics = window.state.inspection.statistics
    assert statistics["h.1.resid_post"].absmax == 0
    assert statistics["h.3.resid_post"].absmax == pytest.approx(differing["h.3.resid_post"], abs=2e-4)
    assert (window.strip() != before).any()
    # Without the comparison, the pictures are the same, bit by bit.
    comparing.choose(None)
    window.settle()
    np.testing.assert_array_equal(window.strip(), before)
    assert comparing.shown == A
    assert window.viewer.controller is not None
    source = window.viewer.controller.model.comparisons
    assert source is not None
    assert source.b is source.difference is None


def test_the_key_shows_b_while_it_is_held(window: Window) -> None:
    before = window.strip()
    window.compare(Choice(EDITS, text=EDIT))
    comparing = window.state.comparing
    comparing.side = A
    window.settle()
    np.testing.assert_array_equal(window.strip(), before)
    comparing.held = True
    window.settle()
    assert comparing.shown == B
    assert (window.strip() != before).any()
    assert "compared" in {name.removeprefix("marked ") for name in widget_tracking.rects}
    comparing.held = False
    window.settle()
    np.testing.assert_array_equal(window.strip(), before)


def test_a_pass_compared_with_itself_differs_nowhere(window: Window) -> None:
    window.compare(Choice(EDITS))
    comparing = window.state.comparing
    assert comparing.title == "without edits"
    assert comparing.predictions is not None
    assert comparing.predictions.kl == 0
    assert {row.delta for row in comparing.predictions.rows} == {0}
    assert max(known.absmax for known in window.state.inspection.statistics.values()) == 0


def test_with_edits_against_without(window: Window, model: Model) -> None:
    edit_list.add(window.state, EDIT)
    window.settle()
    window.compare(Choice(EDITS))
    found = atlas_viewer.compare(model, model, prompt=window.tokens, edits=EDIT)
    comparing = window.state.comparing
    assert comparing.predictions is not None
    assert comparing.predictions.kl == pytest.approx(found.kl, rel=1e-2, abs=1e-6)
    edit_list.clear(window.state)
    window.settle()


def test_another_run_marks_the_tokens_that_differ(window: Window) -> None:
    state = window.state
    first = state.run
    assert first is not None
    token = first.steps[1].top[1].token
    state.requests.append(Branch(1, token))
    window.settle()
    window.compare(Choice(RUN, run=first.number))
    comparing, run = state.comparing, state.run
    assert run is not None
    assert run is not first
    assert comparing.first_difference == len(run.prompt_tokens) + 1
    assert comparing.other_token(len(run.prompt_tokens) + 1, token) == first.steps[1].text
    assert any(name.startswith("marked differs") for name in widget_tracking.rects)


def test_another_step_prompt_and_a_change_of_side(window: Window, model: Model) -> None:
    state = window.state
    window.compare(Choice(STEP, step=1))
    comparing = state.comparing
    assert len(comparing.texts_b) == len(comparing.texts_a) - 2
    assert comparing.problem == comparing.note == ""
    text = "Once upon a day, there was a"
    window.compare(Choice(PROMPT, text=text))
    found = atlas_viewer.compare(model, model, prompt=window.tokens, prompt_b=text)
    assert comparing.predictions is not None
    assert comparing.predictions.kl == pytest.approx(found.kl, rel=1e-2)
    comparing.side = RELATIVE
    window.settle()
    assert 1 <= max(known.absmax for known in state.inspection.statistics.values()) <= 2.0001
    assert comparing.label == "(A - B) / max(|A|, |B|)"


def test_another_model_must_have_the_same_shape(window: Window) -> None:
    window.compare(Choice(MODEL, text="random:gpt2"))
    assert "compare models of the same shape" in window.state.comparing.problem
    assert window.state.comparing.shown == A
    window.compare(Choice(MODEL, text="stories"))
    assert window.state.comparing.problem == ""
    assert window.state.comparing.predictions is not None
    assert window.state.comparing.predictions.kl < 1e-6


def test_bad_edits_and_missing_memory_are_said_in_one_line(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    window.compare(Choice(EDITS, text="h.2.attn.outt = 0"))
    problem = window.state.comparing.problem
    assert "h.2.attn.outt" in problem
    assert "\n" not in problem

    def full(*_arguments: object) -> None:
        raise MemoryBudgetError("no memory is left")

    monkeypatch.setattr(DifferencePass, "__init__", full)
    window.compare(Choice(EDITS, text=EDIT))
    comparing = window.state.comparing
    # B fits, the difference does not.
    assert (comparing.note, comparing.shown, comparing.ready) == ("no memory is left", A, True)
    monkeypatch.setattr(ModelMemory, "twin", full)
    window.compare(Choice(STEP, step=0))
    comparing.choose(None)
    window.settle()
    window.compare(Choice(EDITS))
    assert (comparing.problem, comparing.shown) == ("no memory is left", A)


def test_b_follows_the_run(window: Window) -> None:
    window.compare(Choice(EDITS, text=EDIT))
    state = window.state
    rows = len(state.comparing.texts_b)
    state.requests.append(Continue(2))
    window.settle()
    assert len(state.comparing.texts_b) == rows + 2
    assert state.comparing.ready


def test_the_views_show_the_difference(window: Window) -> None:
    window.compare(Choice(EDITS, text=EDIT))
    state = window.state
    for go in (navigation.open_map, navigation.open_attention, navigation.open_lens):
        go(state)
        window.settle()
        assert "marked compared" in widget_tracking.rects
    assert LENS in state.ui.shown
    assert set(state.comparing.lens.columns) == set(state.lens.columns)
    assert set(state.comparing.lens_difference.columns) == set(state.lens.columns)
    assert state.attention.statistics is not None
    # Layers before the edit attend as before.
    assert not state.attention.statistics.means[:, :12].any()
    assert state.attention.statistics.means[:, 18:].any()
