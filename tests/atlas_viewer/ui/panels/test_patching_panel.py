"""The Patching panel on a screen without a GPU: fields, button, map, clicks, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from imgui_bundle import ImVec2

from atlas_viewer.state import patching_fields
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.patching_view import ABLATE, PATCH, STEER, Steering, SteerJob
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import widget_tracking
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer

from helpers.map_registry import STORIES, registry
from helpers.patching_results import TEXTS, WIDTH, map_job, map_result
from helpers.screen import Screen, context, press

__all__ = ["context"]

TOKENIZER = load_tokenizer()


@pytest.fixture
def state() -> State:
    made = State(TEXTS[0], GenerateOptions())
    made.model = ModelSummary("fake", 8, 6, WIDTH, 512, 50257, 1, "bf16", "an adapter")
    known = registry(STORIES, 256)
    known.rows = made.inspection.rows = 4
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.run = Run(TEXTS[0], made.options, list(enumerate("abcd")))
    made.run.done = True
    made.patching.points = ("embed.sum", "h.0.resid_post")
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch)
    press(made, "Shift+P")
    made.frame(3)
    assert state.ui.view == "Patching"
    return made


def place_of(layer: int, column: int, columns: int, layers: int = 8) -> ImVec2:
    """The center of a cell."""
    box = widget_tracking.rects["patching map"]
    wide, high = (box.right - box.left) / columns, (box.bottom - box.top) / layers
    return ImVec2(box.left + (column + 0.5) * wide, box.top + (layer + 0.5) * high)


def click(screen: Screen, position: ImVec2) -> None:
    screen.point(position)
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()


def test_the_example_fills_the_fields_and_compute_begins(screen: Screen, state: State) -> None:
    view = state.patching
    screen.click("Compute##patching")
    assert not bool(view.start)  # nothing to compute yet
    screen.click("Example##patching")
    patching_fields.check(state, TOKENIZER)
    screen.frame()
    assert view.target == " Tom"
    screen.click("Compute##patching")
    assert bool(view.start)
    view.start, view.total, view.done = False, 60, 12
    screen.frame()
    screen.click("Stop##patching")
    assert view.cancel
    view.cancel, view.total = False, 0
    press(screen, "Alt+P")
    assert bool(view.start)


def test_what_is_wrong_is_shown_with_an_offer(screen: Screen, state: State) -> None:
    view = state.patching
    patching_fields.fill_example(state)
    view.target = " Tom Ben"
    patching_fields.check(state, TOKENIZER)
    screen.frame()
    assert screen.shows("is 2 tokens")
    screen.click("offer##patching")
    assert view.target == " Tom"
    view.failure = "the GPU is gone"
    screen.frame()
    assert screen.shows("the GPU is gone")


def test_the_map_shows_values_tokens_and_safeguards(screen: Screen, state: State) -> None:
    view = state.patching
    view.results[PATCH] = map_result(control=True)
    screen.frame(2)
    assert screen.shows("clean 3.5000, corrupt -7.2500")
    assert screen.shows("patching the run with itself changes nothing: error 0")
    assert screen.shows("floating-point error of a value")
    assert screen.shows("no effect: 8 of 32 cells changed no value")
    screen.point(place_of(5, 2, 4))
    assert screen.shows("layer 5, position 2")
    assert state.hovered == Selection(position=2, layer=5)
    screen.click("show random vectors##patching")
    assert view.shows_control


def test_a_click_chooses_a_cell_that_becomes_an_edit(screen: Screen, state: State) -> None:
    view = state.patching
    view.section = ABLATE
    view.results[ABLATE] = map_result(map_job(ABLATE))
    screen.frame(2)
    click(screen, place_of(6, 3, 7))
    assert view.chosen == (6, 3)
    assert state.selected == Selection(layer=6, head=3)
    screen.click("Apply##patching")
    assert [entry.text for entry in state.edits.entries] == ["h.6.attn.out[head=3] = 0"]
    screen.click("Attention##patching")
    screen.frame(2)
    assert state.ui.view == "Attention"
    press(screen, "Shift+P")
    screen.frame(2)
    click(screen, place_of(6, 6, 7))
    screen.click("Map##patching")
    assert state.map.wanted is not None
    assert state.map.wanted.name == "h.6.mlp.c_proj"


def test_sections_change_by_key_and_button(screen: Screen, state: State) -> None:
    view = state.patching
    press(screen, "Alt+Shift+P")
    assert view.section == ABLATE
    screen.click("Steer##patching")
    assert view.section == STEER
    screen.click("Example##patching")
    assert view.texts_a
    assert view.texts_b


def test_a_steering_vector_has_a_slider_and_can_be_saved(screen: Screen, state: State) -> None:
    view = state.patching
    view.section = STEER
    job = SteerJob(("glad",), ("sad",), "h.0.resid_post", -1)
    view.steering = Steering(job, np.ones(WIDTH, np.float32), 2.5, 18.0)
    screen.frame(2)
    assert screen.shows("length 2.50")
    screen.click("Strength##patching")
    assert [entry.text for entry in state.edits.entries] == ["h.0.resid_post += array of 192"]
    screen.click("Save##patching")
    assert view.save == "steering.npz"


def test_a_model_that_cannot_run_says_why(screen: Screen, state: State) -> None:
    state.patching.problem = "its model is missing"
    screen.frame()
    assert screen.shows("its model is missing")
    assert "Compute##patching" not in screen.centers
