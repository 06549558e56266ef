"""Selecting with clicks and keys, dimming around a selected token, and explanations when there is nothing to show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imgui_bundle import ImVec2

from atlas_viewer.app.model_switch import forget_runs
from atlas_viewer.state.candidates import LogitsView
from atlas_viewer.state.selecting import describe
from atlas_viewer.state.selection import NOTHING, Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import picture_marks
from compute.models.tensor_index import TensorIndex

from helpers.fake_generation import fake_step
from helpers.map_registry import STORIES
from helpers.screen import context, press
from helpers.selection_window import Window, index, point_on_map, state, window

__all__ = ["context", "state", "window"]


def test_a_click_stays_until_escape_or_a_click_on_empty_space(window: Window, state: State) -> None:
    target = index("h.3.attn.out", 5, 70)
    point_on_map(window, target)
    for down in (True, False):
        window.io.add_mouse_button_event(0, down)
        window.frame()
    window.point(ImVec2(1, 1))
    assert state.selected == Selection(5, 3, 2, None, target)
    assert state.highlight == state.selected
    assert window.shows(f'token 5 "{state.run.steps[2].text}" · layer 3 · head 2 · h.3.attn.out[5, 70]')  # type: ignore[union-attr]
    press(window, "Escape")
    assert state.selected == NOTHING
    assert not window.marked
    state.selected = Selection(position=5)
    state.map.fit()
    window.frame(3)
    picture = widget_tracking.rects["map"]
    window.point(ImVec2(picture.left + 3, picture.top + 3))  # between tensors
    for down in (True, False):
        window.io.add_mouse_button_event(0, down)
        window.frame()
    assert state.selected == NOTHING


def test_a_pin_is_selected_once_and_then_leaves_other_selections_alone(window: Window, state: State) -> None:
    target = index("h.3.attn.out", 5, 70)
    state.inspection.pin(target)
    window.frame(2)
    assert state.selected.element == target
    state.selected = Selection(position=1)
    point_on_map(window, index("h.2.ln_1", 3, 3))
    assert state.hovered.position == 3
    window.point(ImVec2(1, 1))
    assert state.highlight == state.selected == Selection(position=1)
    state.inspection.point_at(index("h.4.ln_2", 2, 2))  # as by name
    window.frame(2)
    assert (state.selected.position, state.selected.layer, state.selected.channel) == (2, 4, 2)


def test_keys_move_the_selection(window: Window, state: State) -> None:
    press(window, "Ctrl+Left")
    assert state.selected == Selection(position=11, token=8000)
    press(window, "Ctrl+Left")
    assert state.selected.position == 10
    press(window, "Ctrl+Right")
    press(window, "Ctrl+Right")
    assert state.selected.position == 11  # there is no later one
    press(window, "Ctrl+Down")
    press(window, "Ctrl+Down")
    press(window, "H")
    assert (state.selected.layer, state.selected.head) == (1, 0)
    press(window, "Shift+H")
    assert state.selected.head == STORIES.heads - 1
    press(window, "Ctrl+Up")
    assert (state.selected.position, state.selected.layer) == (11, 0)
    assert {"chip8", "text11", "token 8000"} <= window.marked


@pytest.mark.parametrize("view", ["Map", "Atlas"])
def test_only_a_selected_token_dims_the_picture_wherever_the_mouse_is(
    window: Window, state: State, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    bright: list[Any] = []
    original = picture_marks.image

    def heard(*arguments: Any) -> None:
        bright[:] = arguments[-1:]
        original(*arguments)

    monkeypatch.setattr(picture_marks, "image", heard)
    window.to_front(view)
    window.point(ImVec2(1, 1))
    for selection in (Selection(layer=2, head=1), Selection(position=5, element=index("h.0.ln_1", 5, 3)), NOTHING):
        state.selected = selection
        window.frame(2)
        assert bright == [None]
    state.selected = Selection(position=5)
    window.frame(2)
    rows = bright[0]
    assert len(rows) > 50
    window.point(window.centers["chip1"])  # the mouse is over another token
    assert state.highlight.position == 4
    assert np.array_equal(bright[0], rows)
    assert not np.array_equal(window.boxes, rows)
    if view == "Map":
        state.map.go(index("wte", 9, 9))  # nothing of the token is in sight
        window.frame(2)
        assert bright[0] is not None
        assert not len(bright[0])
    state.selected = Selection(position=99)
    window.frame(2)
    assert bright == [None]  # the token is not in the pass


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (Selection(position=3), "it has left the context: this pass sees tokens 7 to 18"),
        (Selection(position=19), "this pass predicts it in the row of token 18; it has no row of its own yet"),
        (Selection(position=20), "it comes later: this pass sees tokens 7 to 18"),
        (Selection(position=40), "the text on screen has no such token: this pass sees tokens 7 to 18"),
        (Selection(position=9, layer=99), "this model has only 8 layers"),
        (Selection(head=99), "this model has only 6 heads"),
        (Selection(element=TensorIndex("h.0.mlp.up")), "this model has no such tensor"),
        (Selection(position=9), ""),
    ],
)
def test_a_selection_without_highlights_is_explained(
    window: Window, state: State, selection: Selection, reason: str
) -> None:
    assert state.run is not None
    state.run.steps = [fake_step(i) for i in range(18)]
    state.inspection.first_position = 7
    state.selected = selection
    window.point(ImVec2(1, 1))
    assert describe(state, selection).endswith(reason)
    assert window.shows(describe(state, selection))
    assert bool(len(window.boxes)) == (not reason or selection.position == 19 or selection.layer == 99)


def test_another_model_starts_without_a_selection(window: Window, state: State) -> None:
    state.selected, state.logits = Selection(position=5), LogitsView(ladder=2000)
    window.frame(2)
    forget_runs(state, 256)
    window.frame(2)
    assert state.selected == state.highlight == NOTHING
    assert state.logits.ladder is None
    assert not window.marked
