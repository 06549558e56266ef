"""The state of a comparison of A with B, and the columns of the difference of two lenses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atlas_viewer.state.compared_lens import compared_column, shown_lens
from atlas_viewer.state.comparing import (
    DIFFERENCE,
    EDITS,
    RELATIVE,
    RUN,
    A,
    B,
    Choice,
    Comparing,
    in_nats,
    steps_diverge,
)
from atlas_viewer.state.lens_view import AGREEMENT, ENTROPY, PROBABILITY, RANK
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step
from helpers.fake_lens import POINTS, lens_cells


def test_views_show_a_until_b_is_there_and_b_while_the_key_is_held() -> None:
    comparing = Comparing()
    assert comparing.shown == A
    comparing.choose(Choice(EDITS))
    assert comparing.shown == A
    comparing.ready = True
    assert (comparing.shown, comparing.label, comparing.subtracts) == (DIFFERENCE, "A - B", True)
    comparing.held = True
    assert (comparing.shown, comparing.subtracts) == (B, False)
    comparing.held = False
    comparing.side = RELATIVE
    assert comparing.label == "(A - B) / max(|A|, |B|)"
    comparing.note = "the difference does not fit"
    assert comparing.shown == A
    comparing.side = B
    assert comparing.shown == B
    comparing.choose(None)
    assert (comparing.shown, comparing.note, comparing.ready) == (A, "", False)


def test_tokens_that_differ() -> None:
    comparing = Comparing(choice=Choice(EDITS), ready=True)
    comparing.texts_a = ((1, "a"), (2, "b"), (3, "c"))
    comparing.texts_b = ((1, "a"), (5, "x"))
    assert comparing.first_difference == 1
    assert comparing.other_token(0, 1) is None
    assert comparing.other_token(1, 2) == "x"
    assert comparing.other_token(2, 3) is None, "B has ended"
    comparing.texts_b = comparing.texts_a[:2]
    assert comparing.first_difference == 2
    comparing.texts_b = comparing.texts_a
    assert comparing.first_difference is None


def test_the_first_step_at_which_two_runs_diverge() -> None:
    options = GenerateOptions()
    state = State("", options)
    one = state.runs.add(Run("a", options, [(1, "a")], [fake_step(i) for i in range(4)]))
    other = state.runs.add(Run("a", options, [(1, "a")], [fake_step(i) for i in range(4)]))
    state.run = one
    assert steps_diverge(state) is None
    state.comparing.choose(Choice(RUN, run=other.number))
    assert steps_diverge(state) is None
    other.steps = [fake_step(0), fake_step(1)]
    assert steps_diverge(state) == 2
    other.steps = [fake_step(0), fake_step(3), fake_step(2)]
    assert steps_diverge(state) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 nats"), (0.012344, "0.01234 nats"), (math.inf, "infinite"), (math.nan, "unknown")]
)
def test_divergences_in_words(value: float, text: str) -> None:
    assert in_nats(value) == text


def test_the_difference_of_two_lenses() -> None:
    state = State("", GenerateOptions())
    ours, theirs = state.lens, state.comparing.lens
    ours.points = theirs.points = POINTS
    ours.take(lens_cells(range(3), 11), 0)
    theirs.take(lens_cells(range(1, 3), 11, seen=True), 0)
    assert shown_lens(state) is ours
    state.comparing.choice, state.comparing.ready = Choice(EDITS), True
    state.comparing.held = True
    assert shown_lens(state) is theirs
    state.comparing.held = False
    difference = shown_lens(state)
    assert list(difference.columns) == [1, 2], "the positions that both have"
    one, other = ours.columns[1], theirs.columns[1]
    for mode in (PROBABILITY, ENTROPY, RANK):
        expected = one.level(mode, 50257) - other.level(mode, 50257)
        np.testing.assert_array_equal(difference.columns[1].level(mode, 50257), expected)
    same = (one.tokens[:, 0] == other.tokens[:, 0]).astype(np.float32)
    np.testing.assert_array_equal(difference.columns[1].level(AGREEMENT, 50257), same)
    assert shown_lens(state) is difference, "it is made again only after a change"
    ours.take(lens_cells(range(3, 4), 11), 0)
    assert shown_lens(state) is not difference


def test_differences_that_round_to_zero_have_no_sign() -> None:
    state = State("", GenerateOptions())
    state.lens.take(lens_cells(range(1), 11), 0)
    column = state.lens.columns[0]
    same = compared_column(column, column)
    assert (same.number(PROBABILITY, 0), same.number(ENTROPY, 0)) == ("0 %", "0.0 nats")
