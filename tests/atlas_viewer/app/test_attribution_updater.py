"""The Attribution panel is filled without waiting: what is requested, when, and what is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from atlas_viewer.app.attribution_updater import AttributionUpdater
from atlas_viewer.state.attribution_view import NEURONS, STREAM
from atlas_viewer.state.state import State
from compute.errors import UsageError

from helpers.attributions import FakeAttributions
from helpers.fake_generation import paused_state

# The paused run has one prompt token and five steps; its last step, token 4000, was predicted at position 4.
ROWS, TOKEN = 5, 4000


class Loop:
    """Frames of the updater, with a model that has `source`."""

    def __init__(self, source: FakeAttributions | None) -> None:
        self.state: State = paused_state()
        self.state.ui.shown = {"Attribution"}
        self.state.inspection.rows = ROWS
        self.model: Any = SimpleNamespace(attribution=source, unavailable="the model is missing")
        self.updater = AttributionUpdater(self.state)
        self.now = 0.0

    def frame(self, count: int = 1, *, interval: float = 0.0, complete: bool = True) -> None:
        for _ in range(count):
            self.now += 0.01
            self.updater.follow(self.model)
            self.updater.frame(self.now, interval, complete)


@pytest.fixture
def source() -> FakeAttributions:
    return FakeAttributions(ROWS)


@pytest.fixture
def loop(source: FakeAttributions) -> Loop:
    return Loop(source)


def test_the_token_of_the_step_is_explained_once(loop: Loop, source: FakeAttributions) -> None:
    loop.frame()
    assert source.asked == [(TOKEN, None, 4)]
    before = (loop.updater.pending, loop.state.attribution.shown)
    assert before == (True, None)
    loop.frame(4)
    shown = loop.state.attribution.shown
    assert shown is not None
    assert (shown.aim.target, shown.aim.position) == (TOKEN, 4)
    assert loop.state.attribution.current
    assert not loop.updater.pending
    assert len(source.asked) == 1, "nothing has changed"
    assert source.streams == [], "the stream is not shown"


def test_nothing_is_computed_while_the_panel_is_hidden_or_a_pass_is_in_progress(
    loop: Loop, source: FakeAttributions
) -> None:
    loop.frame(3, complete=False)
    loop.state.ui.shown = {"Map"}
    loop.frame(3)
    assert source.asked == []
    assert not loop.updater.pending


def test_another_step_target_position_or_pass_is_computed_again(loop: Loop, source: FakeAttributions) -> None:
    view = loop.state.attribution
    loop.frame(4)
    loop.state.chosen = 1
    loop.frame(4)
    view.target, view.against = "11", "12"
    loop.frame(4)
    view.position = "0"
    loop.frame(4)
    source.passes += 1
    loop.frame(4)
    assert source.asked == [(TOKEN, None, 4), (1000, None, 1), (11, 12, 1), (11, 12, 0), (11, 12, 0)]


def test_a_run_in_progress_is_followed_at_intervals_but_another_target_at_once(
    loop: Loop, source: FakeAttributions
) -> None:
    loop.frame(4)
    for _ in range(10):
        source.passes += 1
        loop.frame(2, interval=1.0)
    assert len(source.asked) == 1
    assert loop.updater.pending, "the latest pass is not shown yet"
    loop.state.attribution.target = "11"
    loop.frame(2, interval=1.0)
    assert source.asked[1:] == [(11, None, 4)]


def test_results_for_another_target_are_not_kept(loop: Loop, source: FakeAttributions) -> None:
    loop.frame()
    source._parts[1:] = [None]  # the result is late
    loop.state.attribution.target = "11"
    loop.frame(1)
    assert source.asked == [(TOKEN, None, 4)], "one at a time"
    loop.frame(5)
    shown = loop.state.attribution.shown
    assert shown is not None
    assert shown.aim.target == 11


def test_what_was_typed_wrong_is_said_on_one_line_and_the_parts_stay(loop: Loop, source: FakeAttributions) -> None:
    loop.frame(4)
    view = loop.state.attribution
    for field, text in (("target", "Elara"), ("against", "x y"), ("position", "99")):
        setattr(view, field, text)
        loop.frame(2)
        assert view.error
        assert "\n" not in view.error
        assert not view.current
        assert view.shown is not None
        setattr(view, field, "")
    loop.frame(2)
    assert view.error == ""
    assert view.current
    assert len(source.asked) == 1


def test_the_stream_is_measured_while_its_section_is_shown(loop: Loop, source: FakeAttributions) -> None:
    loop.state.attribution.section = STREAM
    loop.frame(4)
    assert source.streams == [4]
    assert loop.state.attribution.stream is not None
    loop.state.attribution.position = "2"
    loop.frame(4)
    assert source.streams == [4, 2]
    assert loop.state.attribution.stream.row == 2
    assert not loop.updater.pending


def test_the_weights_of_the_neurons_are_read_once_while_their_section_is_shown(
    loop: Loop, source: FakeAttributions
) -> None:
    loop.frame(4)
    assert source.row_requests == 0
    loop.state.attribution.section = NEURONS
    loop.frame(5)
    assert source.row_requests == 1
    view = loop.state.attribution
    assert view.shown is not None
    assert {(one.reads, one.index) for one in view.shown.parts.neurons} == set(view.rows)
    assert not loop.updater.pending


def test_a_step_whose_pass_is_not_there_yet_waits(loop: Loop, source: FakeAttributions) -> None:
    source.rows = 4
    loop.frame(3)
    assert source.asked == []
    source.rows = 5
    loop.frame(1)
    assert source.asked == [(TOKEN, None, 4)]


def test_a_recorded_model_has_a_line_of_explanation() -> None:
    loop = Loop(None)
    loop.frame(3)
    assert loop.state.attribution.problem == "the model is missing"
    loop.model.attribution = FakeAttributions(ROWS)
    loop.frame(4)
    assert loop.state.attribution.problem == ""
    assert loop.state.attribution.shown is not None
    loop.model.attribution = None
    loop.frame()
    assert loop.state.attribution.shown is None


def test_a_model_whose_logits_cannot_be_split_says_why() -> None:
    class Unsplit:
        unavailable = ""

        @property
        def attribution(self) -> FakeAttributions:
            raise UsageError("no lens is defined")

    loop = Loop(None)
    loop.model = Unsplit()
    loop.frame(2)
    assert loop.state.attribution.problem == "no lens is defined"
    assert not loop.updater.pending


def test_without_a_step_there_is_nothing_to_explain(loop: Loop, source: FakeAttributions) -> None:
    loop.state.run = None
    loop.frame(2)
    assert source.asked == []
    assert loop.state.attribution.problem == ""
