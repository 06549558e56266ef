"""What the Lens panel requests and keeps: with a source that has no GPU, and with `stories` in a window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

import atlas_viewer as av
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.lens_updater import LensUpdater
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.lens_view import TOP
from atlas_viewer.state.navigation import open_lens
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.requests import Branch, Continue, Undo
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.state.ui_state import KNOWN_AT
from compute.errors import MemoryBudgetError
from compute.gpu.device import shared_device
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step
from helpers.fake_lens import FakeLens

OPTIONS = GenerateOptions(max_new_tokens=4, temperature=0)
PROMPT = "Once upon a time, there was a little girl named"


class Fake:
    """A model with a lens only, and the updater of a state with a text of twelve tokens."""

    unavailable = "no model"

    def __init__(self) -> None:
        self.lens: FakeLens | None = FakeLens(10)
        run = Run("x", OPTIONS, [(token, "t") for token in range(8)], [fake_step(i) for i in range(4)], done=True)
        summary = ModelSummary("fake", 2, 1, 8, 16, 500, 1, "f32", "no adapter", 0)
        self.state = State("x", OPTIONS, model=summary, run=run)
        self.state.ui.shown = {"Lens"}
        self.updater = LensUpdater(self.state)

    @property
    def run(self) -> Run:
        assert self.state.run is not None
        return self.state.run

    def frame(self, now: float, interval: float = 0.0, pass_complete: bool = True) -> None:
        self.updater.frame(cast(ModelLike, self), now, interval, pass_complete)

    def settle(self, now: float = 0.0) -> None:
        for _ in range(40):
            self.frame(now)
            if not self.updater.pending:
                return
            if self.lens is not None:
                self.lens.arrive()
        raise AssertionError("the updater never settles")


@pytest.fixture
def fake() -> Fake:
    return Fake()


def asked(fake: Fake) -> list[range]:
    assert fake.lens is not None
    return [positions for positions, _ in fake.lens.requests]


def test_every_position_is_computed_in_slices_that_grow_the_newest_first(fake: Fake) -> None:
    fake.settle()
    assert asked(fake) == [range(9, 10), range(7, 9), range(3, 7), range(3)]
    assert sorted(fake.state.lens.columns) == list(range(10))
    assert fake.state.lens.check is not None
    assert fake.state.lens.check.ok


def test_slices_stay_small_where_results_are_slow(fake: Fake) -> None:
    assert fake.lens is not None
    for second in range(12):
        fake.frame(0.1 * second)
        fake.lens.arrive()
    assert {len(positions) for positions in asked(fake)} == {1}


def test_nothing_is_computed_while_nobody_looks(fake: Fake) -> None:
    fake.state.ui.shown = {"Map", "Generated tokens"}
    fake.settle()
    assert asked(fake) == []
    fake.state.ui.chip_color = KNOWN_AT
    fake.settle()
    assert sorted(fake.state.lens.columns) == list(range(10))


def test_a_new_token_needs_one_position_and_a_branch_those_after_it(fake: Fake) -> None:
    assert fake.lens is not None
    fake.settle()
    fake.lens.requests.clear()
    fake.run.steps = [*fake.run.steps, fake_step(4)]
    fake.lens.rows, fake.lens.passes = 11, 2
    fake.settle()
    assert asked(fake) == [range(10, 11)]
    fake.lens.requests.clear()
    fake.state.run = Run("x", OPTIONS, fake.run.prompt_tokens, [fake_step(0), fake_step(3)], done=True, number=9)
    fake.lens.rows, fake.lens.passes, fake.lens.seen = 10, 3, 1000
    fake.settle()
    columns = fake.state.lens.columns
    assert [columns[position].tokens[0, 0] >= 1000 for position in range(10)] == [False] * 9 + [True]


def test_a_result_of_another_text_is_dropped(fake: Fake) -> None:
    assert fake.lens is not None
    fake.frame(0)
    fake.state.run = Run("y", OPTIONS, [(40 + token, "t") for token in range(12)], done=True, number=9)
    fake.lens.arrive()
    fake.frame(0, pass_complete=False)
    assert not fake.state.lens.columns
    fake.lens.passes += 1
    fake.settle()
    assert sorted(fake.state.lens.columns) == list(range(10))


def test_a_pass_of_the_text_before_is_not_read(fake: Fake) -> None:
    assert fake.lens is not None
    fake.settle()
    fake.lens.requests.clear()
    fake.state.run = Run("x", OPTIONS, fake.run.prompt_tokens, [fake_step(0), fake_step(3)], done=True, number=9)
    fake.settle()
    assert asked(fake) == [], "the model has yet to compute the branch"
    fake.lens.passes += 1
    fake.settle()
    assert asked(fake)[0] == range(9, 10)


def test_no_request_while_a_pass_is_incomplete(fake: Fake) -> None:
    fake.frame(0, pass_complete=False)
    assert asked(fake) == []


def test_on_a_slow_adapter_requests_are_rare_while_a_run_is_in_progress(fake: Fake) -> None:
    assert fake.lens is not None
    fake.run.done = False
    for frame in range(200):
        fake.frame(0.05 * frame, interval=0.09)
        fake.lens.arrive()
    rare = len(asked(fake))
    assert 0 < rare <= 18, "a request takes 0.05 s, so at most one in 0.6 s"


def test_the_last_pass_of_a_run_is_always_checked(fake: Fake) -> None:
    assert fake.lens is not None
    fake.run.done = False
    fake.settle(1.0)
    fake.lens.error, fake.lens.passes, fake.lens.rows = 0.5, 2, 11
    fake.settle(1.1)
    assert fake.state.lens.check is not None
    assert fake.state.lens.check.error != 0.5, "during a run, checks are a second apart"
    fake.run.done = True
    fake.settle(1.2)
    assert fake.state.lens.check.error == 0.5


def test_edits_and_another_model_make_the_columns_obsolete(fake: Fake) -> None:
    assert fake.lens is not None
    fake.settle()
    fake.lens.edit_changes, fake.lens.seen, fake.lens.passes = 1, 1000, 2
    fake.settle()
    assert all(column.tokens[0, 0] >= 1000 for column in fake.state.lens.columns.values())
    fake.lens = FakeLens(3)
    fake.settle()
    assert sorted(fake.state.lens.columns) == [0, 1, 2]


def test_another_target_is_computed_for_every_position(fake: Fake) -> None:
    fake.settle()
    fake.state.lens.target = 17
    fake.settle()
    assert {column.target for column in fake.state.lens.columns.values()} == {17}


def test_a_violated_check_reaches_the_state(fake: Fake) -> None:
    assert fake.lens is not None
    fake.lens.error = 0.5
    fake.settle()
    assert fake.state.lens.check is not None
    assert (fake.state.lens.check.ok, fake.state.lens.check.error) == (False, 0.5)


def test_without_a_lens_there_is_a_reason(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.lens = None
    fake.settle()
    assert fake.state.lens.problem == "no model"

    def full(*_: Any) -> bool:
        raise MemoryBudgetError("the lens needs 9 GB")

    fake.lens = FakeLens(4)
    monkeypatch.setattr(fake.lens, "request", full)
    fake.settle()
    assert fake.state.lens.problem == "the lens needs 9 GB"
    fake.lens = FakeLens(4)
    fake.settle()
    assert (fake.state.lens.problem, len(fake.state.lens.columns)) == ("", 4)


# -- with a model


class Window:
    """A viewer of `stories` after four tokens, with Lens in front."""

    def __init__(self, runner: ModelRunner) -> None:
        generation = runner.start(PROMPT, OPTIONS)
        generation.run()
        self.canvas = open_picture((1280, 720))
        self.state = State(PROMPT, OPTIONS, live=False)
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, generation, PROMPT)
        open_lens(self.state)

    def settle(self) -> None:
        for _ in range(120):
            self.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure
            poll(shared_device(), wait=True)
            controller = self.viewer.controller
            assert controller is not None
            busy = self.state.busy or bool(self.state.requests) or controller.pending
            if self.state.lens.columns and not (busy or self.viewer._displays.pending):
                return
        raise AssertionError("the view never settles")


@pytest.fixture
def window(runner: ModelRunner) -> Iterator[Window]:
    made = Window(runner)
    yield made
    made.canvas.close()


def compare(window: Window, target: int) -> int:
    """Compare the columns with the lens over the text on screen; returns how many there are."""
    run, view = window.state.run, window.state.lens
    assert run is not None
    tokens = [token for token, _ in run.prompt_tokens] + [step.token for step in run.steps]
    expected = av.load("stories", context=32).lens(tokens, top=TOP, target=target)
    assert view.points == expected.points
    assert expected.target_rank is not None
    assert set(view.columns) == set(range(len(view.columns)))
    for position, column in view.columns.items():
        probabilities = expected.top_probabilities[:, position]
        assert np.allclose(column.probabilities, probabilities, atol=2e-4)
        clear = probabilities[:, 0] - probabilities[:, 1] > 1e-3
        assert (column.tokens[clear, 0] == expected.top_tokens[clear, position, 0]).all()
        assert np.allclose(column.entropy, expected.entropy[:, position], atol=2e-3)
        ranks = expected.target_rank[:, position]
        assert column.ranks is not None
        assert (np.abs(column.ranks - ranks) <= 1 + 0.01 * ranks).all()
    assert view.check is not None
    assert view.check.ok
    return len(view.columns) - len(tokens)


@pytest.mark.gpu
def test_the_cells_of_the_panel_are_those_of_model_lens(window: Window) -> None:
    state, target = window.state, 20037
    state.lens.target = target
    window.settle()
    assert compare(window, target) == -1, "the pass that drew the last token did not see it"
    state.requests.append(Continue(2))
    window.settle()
    state.requests.append(Undo())
    window.settle()
    assert compare(window, target) == 0, "the pass that was undone did"
    state.requests.append(Branch(1, 11))
    window.settle()
    assert state.run is not None
    assert [step.token for step in state.run.steps][1:] == [11]
    assert compare(window, target) == -1
