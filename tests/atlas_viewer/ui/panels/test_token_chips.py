"""Chips: their layout and the strength of their colors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_viewer.state.options_text import changes_in_words
from atlas_viewer.state.ui_state import CHIP_COLORS
from atlas_viewer.ui.panels.token_chips import ChipFlow
from atlas_viewer.ui.panels.tokens import strength
from compute.generate.steps import StepRecord
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step


def width(step: StepRecord) -> float:
    return 10.0 + step.token % 37


@given(st.lists(st.integers(0, 5000), max_size=60), st.integers(40, 400), st.integers(0, 60))
def test_chips_wrap_without_overlap(tokens: list[int], available: int, known: int) -> None:
    steps = [replace(fake_step(0), index=i, token=token) for i, token in enumerate(tokens)]
    flow, fresh = ChipFlow(), ChipFlow()
    flow.lay_out(steps[:known], "font", available, 5, width)
    flow.lay_out(steps, "font", available, 5, width)
    fresh.lay_out(steps, "font", available, 5, width)
    assert flow.chips == fresh.chips
    assert len(flow.chips) == len(steps)
    for before, after in zip(flow.chips, flow.chips[1:], strict=False):
        if after.line == before.line:
            assert after.x == before.x + before.width + 5
            assert after.x + after.width <= available
        else:
            assert (after.line, after.x) == (before.line + 1, 0)
    if steps:
        assert list(flow.between(0, flow.lines)) == list(range(len(steps)))
        assert all(flow.chips[index].line == 1 for index in flow.between(1, 1))


def test_a_branch_keeps_shared_chips_and_a_new_width_keeps_none() -> None:
    measured: list[int] = []

    def counted(step: StepRecord) -> float:
        measured.append(step.index)
        return width(step)

    steps = [fake_step(i) for i in range(10)]
    flow = ChipFlow()
    flow.lay_out(steps, "font", 200, 5, counted)
    flow.lay_out(steps, "font", 200, 5, counted)
    assert len(measured) == 10
    flow.lay_out([*steps[:6], replace(steps[6], token=7)], "font", 200, 5, counted)
    assert measured[10:] == [6]
    flow.lay_out(steps[:3], "font", 100, 5, counted)
    assert measured[11:] == [0, 1, 2]


def test_strength() -> None:
    step = replace(fake_step(0), model_probability=0.25, rank=4, entropy=4 * math.log(2))
    assert strength(step, "probability") == pytest.approx(2 / 8)
    assert strength(step, "rank") == pytest.approx(2 / 8)
    assert strength(step, "entropy") == pytest.approx(4 / 8)
    assert strength(step, "plain") == 0
    unknown = replace(step, model_probability=math.nan, rank=0, entropy=math.nan)
    assert strength(replace(step, model_probability=0.0), "probability") == 1
    assert [strength(unknown, color) for color in CHIP_COLORS] == [0] * len(CHIP_COLORS)


def test_changes_in_words() -> None:
    before = GenerateOptions()
    assert changes_in_words(before, before) == "the same"
    after = replace(before, top_p=0.9, repetition_penalty=1.25, max_new_tokens=99)
    assert changes_in_words(before, after) == "top-p 0.9 (1 before), repetition penalty 1.25 (1 before)"
