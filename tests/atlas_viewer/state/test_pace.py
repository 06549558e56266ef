"""Graphs of the times of frames and tokens."""

from __future__ import annotations

import pytest

from atlas_viewer.state.pace import BINS, SPAN_S, Pace, Times
from atlas_viewer.state.runs import Run
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step

BIN_S = SPAN_S / BINS


def run(number: int, tokens: int) -> Run:
    return Run("", GenerateOptions(), [], [fake_step(i) for i in range(tokens)], number=number)


def test_a_bar_is_the_longest_time_of_its_part() -> None:
    times = Times()
    now = 100 * SPAN_S + BIN_S / 2
    for age, seconds in ((0, 0.010), (0, 0.030), (1, 0.020), (BINS - 1, 0.015), (BINS, 0.9)):
        times.add(now - age * BIN_S, seconds)
    graph = times.graph(now)
    assert graph is not None
    assert (graph.median, graph.slowest, graph.top) == pytest.approx((17.5, 30, 31.5))
    assert graph.heights[-1] == pytest.approx(30 / 31.5)
    assert graph.heights[-2] == pytest.approx(20 / 31.5)
    assert graph.heights[0] == pytest.approx(15 / 31.5)
    assert sum(height > 0 for height in graph.heights) == 3
    assert times.graph(now + 2 * SPAN_S) is None


def test_one_long_frame_does_not_flatten_the_others() -> None:
    times = Times()
    for index in range(9):
        times.add(1000 + index * BIN_S, 0.4 if index == 4 else 0.020)
    graph = times.graph(1000 + 8 * BIN_S)
    assert graph is not None
    assert (graph.median, graph.slowest, graph.top) == pytest.approx((20, 400, 80))
    assert [height for height in graph.heights if height] == pytest.approx([0.25] * 4 + [1.0] + [0.25] * 4)


def test_bars_keep_their_heights_as_they_move() -> None:
    times = Times()
    for index in range(400):
        times.add(1000 + index * 0.017, 0.010 + 0.001 * (index % 7))
    one, later = times.graph(1000 + 400 * 0.017), times.graph(1000 + 400 * 0.017 + BIN_S)
    assert one is not None
    assert later is not None
    assert one.heights[1:] == later.heights[:-1]


def test_more_durations_than_fit_drop_the_oldest() -> None:
    times = Times()
    for index in range(10_000):
        times.add(1000 + index * 0.001, 0.001 if index > 5000 else 0.5)
    graph = times.graph(1000 + 10.0)
    assert graph is not None
    assert graph.slowest == pytest.approx(1)


def test_tokens_are_counted_from_the_first_one_of_a_run() -> None:
    pace = Pace()
    for now, shown in ((1.0, run(1, 0)), (1.5, run(1, 1)), (2.0, run(1, 3)), (2.5, run(1, 3)), (3.0, run(1, 4))):
        pace.frame(now, 0.5, shown)
    assert pace.tokens is not None
    assert (pace.tokens.median, pace.tokens.slowest) == pytest.approx((625, 1000))  # 250 (two in 0.5 s) and 1000 ms
    assert pace.frames is not None
    assert pace.frames.median == pytest.approx(500)


def test_another_run_or_a_pause_begins_again() -> None:
    pace = Pace()
    for now, shown in ((1.0, run(1, 5)), (1.1, None), (5.0, run(1, 6)), (5.1, run(1, 7)), (9.0, run(2, 1))):
        pace.frame(now, 0.0, shown)
    assert pace.frames is None  # every frame came after a pause
    assert pace.tokens is not None
    assert (pace.tokens.median, pace.tokens.slowest) == pytest.approx((100, 100))


def test_graphs_are_refreshed_a_few_times_per_second() -> None:
    pace = Pace()
    pace.frame(1.0, 0.01, None)
    first = pace.frames
    pace.frame(1.2, 0.01, None)
    assert pace.frames is first
    pace.frame(1.25, 0.01, None)
    assert pace.frames is not first
