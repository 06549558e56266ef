"""The sampling ladder below a row of the logits table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import ladder
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.screen import Screen, context, press

__all__ = ["context"]

OPTIONS = GenerateOptions(temperature=0.8, top_k=40, top_p=0.9)


@pytest.fixture
def state() -> State:
    run = Run("Once", OPTIONS, [(1, "Once")], [fake_step(i) for i in range(5)], done=True, stop_reason="length")
    return State("Once", OPTIONS, run=run)


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch, Services(tokenizer=FakeTokenizer()))


def whole(step: int) -> Distribution:
    """Random logits, of which the token taken at the step has the largest."""
    found = (3 * np.random.default_rng(step).standard_normal(50257)).astype(np.float32)
    found[fake_step(step).token] = found.max() + 1
    return Distribution(step, found, OPTIONS)


def test_a_row_opens_its_sampling_ladder_and_does_not_branch(screen: Screen, state: State) -> None:
    state.distribution = whole(4)
    screen.frame(2)
    token = int(state.distribution.order[2])
    screen.click(f"ladder {token}")
    assert state.logits.ladder == token
    assert not state.requests
    assert "ladder" in widget_tracking.rects
    below = widget_tracking.rects["ladder"]
    assert below.top >= widget_tracking.rects[f"token {token}"].bottom - 2
    after = int(state.distribution.order[3])
    assert widget_tracking.rects[f"token {after}"].top >= below.bottom - 4
    screen.click(f"ladder {token}")
    assert "ladder" not in widget_tracking.rects
    press(screen, "S")
    assert state.logits.ladder == token  # the one that is selected
    press(screen, "S")
    last = int(state.distribution.order[-1])
    state.selected = Selection(token=last)
    press(screen, "S")
    assert state.logits.ladder == last
    screen.frame(2)
    assert "ladder" in widget_tracking.rects  # although the token is not among the first of the table
    press(screen, "S")
    press(screen, "Escape")
    press(screen, "S")
    assert state.step is not None
    assert state.logits.ladder == state.step.token


def test_the_ladder_follows_the_sliders_and_names_what_was_drawn(state: State) -> None:
    def rows(token: int) -> dict[str, str]:
        shown = ladder.content(state, state.current_distribution, token, str)
        return {row.label: row.text for row in (*shown.rows, *shown.race)}

    step = state.step
    assert step is not None
    assert list(rows(step.token)) == [""]  # without logits, one line says why
    known = state.distribution = Distribution(4, np.log([8, 4, 2, 1, 1]).astype(np.float32), OPTIONS)
    state.options = OPTIONS
    first = rows(0)
    weight = np.exp(known.scaled_delta[1])
    total = np.exp(known.scaled_delta[: known.kept]).sum()
    share = percent(float(known.drawn[1])).strip()
    assert rows(1)["probability"] == f"exp({np.log(weight):.2f}) / sum = {weight:.4g} / {total:.4g} = {share}"
    assert first["probability"].startswith("exp(0.00) / sum = 1 / ")
    assert "options" not in first
    assert "top-k 40" in first
    state.options = dataclasses.replace(OPTIONS, temperature=0.4, top_k=0)
    moved = rows(1)
    assert moved["options"] == "the sliders as they are now: temperature 0.4 (0.8 before), top-k 0 (40 before)"
    assert moved["probability"].startswith("exp(-1.73) / sum = 0.1768 / ")
    assert "top-k 40" not in moved
    state.options = dataclasses.replace(OPTIONS, temperature=0.0)
    assert rows(1)["temperature 0"] == "the largest logit is taken; nothing is random"
    assert "draw" not in rows(1)
