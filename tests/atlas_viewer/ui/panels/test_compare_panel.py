"""The Compare panel on a screen without a GPU: the choice of B, sides, keys, the table, texts and marks."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from atlas_viewer.state import navigation
from atlas_viewer.state.comparing import (
    DIFFERENCE,
    EDITS,
    PROMPT,
    RELATIVE,
    RUN,
    STEP,
    A,
    B,
    Choice,
    Predictions,
    Row,
)
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.services import Services
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
FOUND = Predictions(0.25, (Row(7, 3.5, 1.5, 0.6, 0.1), Row(9, 1.0, 2.0, 0.1, 0.7)), 7, 9)


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    made = State("Once upon a", options, model=MODEL)
    tokens = list(enumerate(("Once", " upon", " a")))
    made.runs.add(Run("Once upon a", options, tokens, [fake_step(i) for i in range(3)], done=True))
    made.run = made.runs.add(Run("Once upon a", options, tokens, [fake_step(i) for i in range(5)], done=True))
    made.run.continuation = "".join(step.text for step in made.run.steps)
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch, Services(tokenizer=FakeTokenizer("<{}>")))
    press(made, "Shift+J")
    made.frame(3)
    assert navigation.COMPARE in state.ui.shown
    return made


def ready(state: State) -> None:
    """B has arrived, with another token at position 4."""
    comparing, run = state.comparing, state.run
    assert run is not None
    comparing.choose(Choice(EDITS))
    comparing.texts_a = (*run.prompt_tokens, *((step.token, step.text) for step in run.steps))
    comparing.texts_b = (*comparing.texts_a[:4], (77, " elsewhere"), *comparing.texts_a[5:])
    comparing.predictions, comparing.ready, comparing.title = FOUND, True, "without edits"


def choose(screen: Screen, kind: str, title: str) -> None:
    screen.click("##kind of B")
    screen.frame(2)
    screen.click(f"{title}##{kind}")
    screen.frame(2)


def test_edits_are_the_first_choice_and_may_be_none(screen: Screen) -> None:
    comparing = screen.state.comparing
    assert screen.shows("A is the step on screen")
    screen.click("Compare##b")
    assert comparing.choice == Choice(EDITS)
    comparing.typed[EDITS] = "h.1.attn.out = 0;  h.2.attn.out[head=4] *= 2 ; "
    screen.click("Compare##b")
    assert comparing.choice == Choice(EDITS, text="h.1.attn.out = 0\nh.2.attn.out[head=4] *= 2")
    screen.frame(2)
    screen.click("Stop##b")
    assert comparing.choice is None


def test_steps_runs_and_prompts(screen: Screen) -> None:
    state, comparing = screen.state, screen.state.comparing
    choose(screen, STEP, "another step of this run")
    screen.click("##B step")
    screen.frame(2)
    assert '#5 "' not in " ".join(widget_tracking.rects), "not the step on screen itself"
    label = next(name for name in screen.centers if name.endswith("##1") and name.startswith("#2"))
    screen.click(label)
    assert comparing.choice == Choice(STEP, step=1)
    choose(screen, RUN, "another run")
    screen.click("##B run")
    screen.frame(2)
    assert state.run is not None
    label = next(name for name in screen.centers if name.endswith("##1") and "Once" in name)
    screen.click(label)
    assert comparing.choice == Choice(RUN, run=1)
    choose(screen, PROMPT, "another prompt")
    screen.click("Compare##b")
    assert comparing.choice == Choice(RUN, run=1), "there is no text yet"
    comparing.typed[PROMPT] = "Twice"
    screen.frame(2)
    screen.click("Compare##b")
    assert comparing.choice == Choice(PROMPT, text="Twice")


def test_sides_and_keys(screen: Screen) -> None:
    comparing = screen.state.comparing
    ready(screen.state)
    screen.frame(2)
    assert comparing.shown == DIFFERENCE
    screen.click("side B")
    assert comparing.shown == B
    press(screen, "Ctrl+J")
    assert comparing.side == DIFFERENCE
    press(screen, "Ctrl+J")
    assert comparing.side == RELATIVE
    screen.io.add_key_event(imgui.Key.j, True)
    screen.frame(2)
    assert comparing.shown == B
    screen.io.add_key_event(imgui.Key.j, False)
    screen.frame(2)
    assert comparing.shown == RELATIVE
    press(screen, "Alt+J")
    assert (comparing.choice, comparing.shown) == (None, A)
    press(screen, "J")
    assert not comparing.held, "there is nothing to show"


def test_the_numbers_and_the_texts(screen: Screen) -> None:
    state = screen.state
    ready(state)
    screen.frame(3)
    assert screen.shows("KL(A || B) = 0.25 nats")
    assert screen.shows("texts differ from position 4 on")
    assert screen.shows("+2.000")
    assert screen.shows("-1.000")
    assert screen.shows("+50.00")
    assert {"marked differs A4", "marked differs B4"} <= set(widget_tracking.rects)
    screen.click("compared 7")
    assert state.selected == Selection(token=7)


def test_tokens_that_differ_are_marked_among_the_generated_ones_and_in_the_text(screen: Screen) -> None:
    ready(screen.state)
    screen.state.ui.front = "Generated tokens"
    screen.frame(4)
    marked = [name for name in widget_tracking.rects if name.startswith("marked differs")]
    assert "marked differs1" in marked
    assert "marked differs0" not in marked
    screen.state.ui.front = "Output"
    screen.frame(4)
    assert "marked differs text4" in widget_tracking.rects


def test_the_view_in_front_says_what_it_shows(screen: Screen) -> None:
    screen.frame(2)
    assert "marked compared" not in widget_tracking.rects
    ready(screen.state)
    screen.frame(3)
    assert "marked compared" in widget_tracking.rects


def test_a_problem_is_said_in_place_of_the_numbers(screen: Screen) -> None:
    ready(screen.state)
    screen.state.comparing.forget()
    screen.state.comparing.problem = "a second run needs 3 GB of GPU memory"
    screen.frame(2)
    assert screen.shows("a second run needs 3 GB")
    assert not screen.shows("KL(A || B)")
