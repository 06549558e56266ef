"""The timeline's state: positions on its track, ticks, branches, and going to a step."""

from __future__ import annotations

import pytest

from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.state import State
from atlas_viewer.state.timeline import describe, go_by, go_to, span, step_at, tick_distance, timeline

from helpers.fake_generation import fake_step, paused_state


@pytest.fixture
def state() -> State:
    return paused_state()


def played(state: State, count: int, position: int) -> PlaybackState:
    playback = PlaybackState("a.atlas", "stories", count=count, position=position)
    state.recording.playback = playback
    assert state.run is not None
    state.run.known = [fake_step(index) for index in range(count)]
    state.run.steps = state.run.known[:position]
    return playback


def test_without_a_run_there_is_none(state: State) -> None:
    state.run = None
    assert timeline(state) is None


@pytest.mark.parametrize("total", [1, 7, 1024])
def test_every_step_is_found_in_its_part_of_the_track(total: int) -> None:
    for number in range(1, total + 1):
        start, end = span(number, total)
        assert step_at((start + end) / 2, total) == number
    assert (step_at(-0.5, total), step_at(0.0, total), step_at(1.0, total), step_at(9.0, total)) == (1, 1, total, total)


def test_ticks_are_far_enough_apart() -> None:
    assert tick_distance(16, 800, 40) == 1
    assert tick_distance(64, 800, 40) == 5
    assert tick_distance(1024, 800, 40) == 100
    assert tick_distance(1024, 1, 40) == 50_000


def test_a_live_run_has_space_up_to_its_target(state: State) -> None:
    run = state.run
    assert run is not None
    line = timeline(state)
    assert line is not None
    assert (line.total, line.reached, line.selected) == (run.options.max_new_tokens, len(run.steps), len(run.steps))


def test_going_to_a_step_of_a_live_run_selects_it_and_the_last_one_is_followed(state: State) -> None:
    assert state.run is not None
    last = len(state.run.steps)
    moves = ((go_to, 2, 1), (go_by, -5, 0), (go_by, 1, 1), (go_to, last + 10, None), (go_by, -1, last - 2))
    for act, number, chosen in moves:
        act(state, number)
        assert state.chosen == chosen


def test_going_to_a_step_of_a_recording_seeks_and_pauses(state: State) -> None:
    playback = played(state, count=9, position=4)
    for act, number, wanted in ((go_by, 1, 5), (go_to, 99, 9), (go_to, -3, 1)):
        playback.playing = True
        act(state, number)
        assert (playback.seek, playback.playing, state.chosen) == (wanted, False, None)
    line = timeline(state)
    assert line is not None
    assert (line.total, line.reached, len(line.steps)) == (9, 4, 9)


def test_a_recording_that_was_left_has_the_timeline_of_the_live_run(state: State) -> None:
    playback = played(state, count=9, position=4)
    playback.left = True
    go_to(state, 2)
    assert (playback.seek, state.chosen) == (None, 1)


def test_branches_are_marked_where_they_begin(state: State) -> None:
    parent = state.run
    assert parent is not None
    children = [state.runs.branch(parent, index) for index in (1, 1, 2)]
    line = timeline(state)
    assert line is not None
    assert line.branches == {2: [children[0].number, children[1].number], 3: [children[2].number]}
    assert line.origin == 0
    assert f"Runs {children[0].number}, {children[1].number} branch off here" in describe(line, 2)
    assert f"Run {children[2].number} branches off here" in describe(line, 3)
    state.run = children[2]
    line = timeline(state)
    assert line is not None
    assert (line.origin, line.branches) == (3, {})
    assert "branched off its parent" in describe(line, 3)


def test_recorded_branches_are_marked_too(state: State) -> None:
    playback = played(state, count=9, position=4)
    playback.branches = {5: [2]}
    line = timeline(state)
    assert line is not None
    assert line.branches == {6: [2]}


def test_a_step_is_described_with_its_token_and_singular_and_plural(state: State) -> None:
    played(state, count=1, position=1)
    line = timeline(state)
    assert line is not None
    assert describe(line, 1) == 'Step 1 of 1\n" little"  50.000 %'
    assert describe(line, 2) == "Step 2: not generated yet, 1 step so far"
