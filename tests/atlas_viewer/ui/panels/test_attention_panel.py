"""The Attention panel on a screen without a GPU: mouse and keys, the selection, and what it says when it is empty."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.attention_view import ORDERS
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import NOTHING
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import facts
from atlas_viewer.ui.services import Services
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.attention_head import MASKED, SCORES, WEIGHTS, HeadLine
from compute.views.attention_wall import STATISTICS, HeadStatistics

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
ROWS = 12
TEXTS = ("Once", " upon", " a")


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, list(enumerate(TEXTS)), [fake_step(i) for i in range(9)])
    run.done = True
    made = State("Once upon a", options, model=MODEL, run=run)
    known = registry(STORIES, 256)
    known.rows = ROWS
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.inspection.rows = ROWS
    view = made.attention
    heads = [(layer, head) for layer in range(8) for head in range(6)]
    view.lay_out(heads, [f"h.{layer}.attn.pattern" for layer in range(8)])
    view.rows = view.rows_ready = ROWS
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    picture = imgui.ImTextureRef(1)
    services = Services(heads=picture, matrices=(picture,) * 3, tokenizer=FakeTokenizer("<{}>"))
    made = Screen(state, monkeypatch, services)
    press(made, "Q")
    made.frame(3)
    assert state.ui.view == "Attention"
    assert "Attention" in state.ui.shown
    return made


def place_of(screen: Screen, query: int, key: int, step: str = "softmax") -> ImVec2:
    """The center of an element of a matrix on the screen."""
    box = widget_tracking.rects[f"attention {step}"]
    side = {picture.step: picture.side for picture in screen.state.attention.matrix_pictures}
    at = ("scores", "mask", "softmax").index(step)
    cell = side[at] / ROWS
    return ImVec2(box.right - side[at] + (key + 0.5) * cell, box.bottom - side[at] + (query + 0.5) * cell)


def arrived(state: State, query: int, key: int) -> None:
    """Give the state the values of the head in view."""
    view = state.attention
    rows = np.arange(ROWS, dtype=np.float32)
    weights = np.where(rows <= query, 1 / (query + 1), 0).astype(np.float32)
    view.line = HeadLine(view.layer, view.head, query, key, (11.0, 9.0), rows, weights, rows, weights)


@pytest.mark.parametrize("step", ["softmax", "scores", "mask"])
def test_pointing_at_a_cell_highlights_query_and_key(screen: Screen, step: str) -> None:
    state = screen.state
    screen.point(place_of(screen, 7, 2, step))
    assert (state.attention.query, state.attention.key) == (7, 2)
    hovered = state.hovered
    assert (hovered.position, hovered.key, hovered.layer, hovered.head) == (7, 2, 0, 0)
    assert str(state.inspection.cursor) == "h.0.attn.pattern[0, 7, 2]"
    screen.point(ImVec2(2, 2))
    assert state.hovered == NOTHING
    assert str(state.inspection.cursor) == "None"
    assert state.attention.shown_query == ROWS - 1, "the newest token"


def test_the_line_below_has_score_and_weight_or_says_masked(screen: Screen) -> None:
    screen.point(place_of(screen, 4, 2))
    assert not screen.shows("weight 0.2")
    arrived(screen.state, 4, 2)
    assert _line(screen) == 'query " girl" (4), key " a" (2): score 2, weight 0.200000003'
    screen.point(place_of(screen, 2, 5))
    arrived(screen.state, 2, 5)
    assert "masked because the key is later" in _line(screen)


def _line(screen: Screen) -> str:
    """The line below the panel in the next frame."""
    screen.frame()
    return next(text for text in screen.texts if text.startswith("query"))


def test_pointing_at_a_token_on_an_axis(screen: Screen) -> None:
    state, cell = screen.state, place_of(screen, 5, 0)
    box = widget_tracking.rects["attention softmax"]
    screen.point(ImVec2(box.left + theme.em(1), cell.y))
    assert [state.attention.query, state.attention.key] == [5, None]
    assert (state.hovered.position, state.hovered.key) == (5, None)
    column = place_of(screen, 0, 3)
    screen.point(ImVec2(column.x, box.top + theme.em(1)))
    assert [state.attention.query, state.attention.key] == [None, 3]
    assert state.attention.reads_key
    assert state.hovered.position == 3


def test_pointing_at_a_token_of_the_text(screen: Screen) -> None:
    state = screen.state
    screen.click("attention token 4")
    assert state.hovered.position == 4
    screen.point(ImVec2(2, 2))
    assert state.selected.position == 4
    assert state.attention.shown_query == 4


def test_a_click_selects_and_the_view_keeps_showing_it(screen: Screen) -> None:
    state = screen.state
    screen.point(place_of(screen, 7, 2))
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    assert (state.selected.position, state.selected.key) == (7, 2)
    screen.point(ImVec2(2, 2))
    screen.frame(3)
    assert (state.attention.query, state.attention.key) == (7, 2)
    press(screen, "Escape")
    screen.frame(3)
    assert state.attention.query is None


def test_a_token_under_the_mouse_elsewhere_becomes_the_query(screen: Screen) -> None:
    state = screen.state
    state.selected = dataclasses.replace(NOTHING, position=3)
    screen.frame(2)
    assert state.attention.shown_query == 3
    state.selected = dataclasses.replace(NOTHING, position=3, layer=5, head=2)
    screen.frame(2)
    assert (state.attention.layer, state.attention.head) == (5, 2)


def test_wheel_and_arrow_keys_change_the_head_and_select_it(screen: Screen) -> None:
    state, view = screen.state, screen.state.attention
    screen.point(place_of(screen, 3, 1))
    screen.io.add_mouse_wheel_event(0, -1)
    screen.frame(2)
    assert (view.layer, view.head) == (1, 0)
    assert (state.selected.layer, state.selected.head) == (1, 0)
    for key, expected in (("Right", (1, 1)), ("Down", (2, 1)), ("Left", (2, 0)), ("Up", (1, 0))):
        press(screen, key)
        screen.frame()
        assert (view.layer, view.head) == expected
    screen.io.add_key_event(imgui.Key.mod_ctrl, True)
    screen.io.add_mouse_wheel_event(0, 1)
    screen.frame(2)
    screen.io.add_key_event(imgui.Key.mod_ctrl, False)
    assert view.zoom > 1
    assert (view.layer, view.head) == (1, 0), "with Ctrl the wheel zooms"
    press(screen, "F")
    screen.frame()
    assert view.zoom == 1


def test_a_click_on_the_wall_enlarges_that_head(screen: Screen) -> None:
    view, box = screen.state.attention, widget_tracking.rects["attention wall"]
    width, height = (box.right - box.left) / 6, (box.bottom - box.top) / 8
    screen.point(ImVec2(box.left + 3.4 * width, box.top + 5.4 * height))
    assert screen.shows("layer 5, head 3")
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    assert (view.layer, view.head) == (5, 3)


def test_heads_are_sorted_from_the_menu_and_with_a_key(screen: Screen) -> None:
    view = screen.state.attention
    means = np.zeros((len(STATISTICS), 48), np.float32)
    means[STATISTICS.index("first"), 17] = 0.8
    view.statistics = HeadStatistics(ROWS, 0, means)
    screen.click("##attention order")
    screen.frame()
    screen.click("first token##attention first")
    assert view.order.name == "first"
    screen.frame(2)
    assert view.wall_picture is not None
    assert view.wall_picture.heads[0] == 17
    press(screen, "Shift+Q")
    assert view.order is ORDERS[ORDERS.index(next(one for one in ORDERS if one.name == "first")) + 1]


def test_a_click_on_a_title_or_a_button_enlarges_a_step(screen: Screen) -> None:
    view = screen.state.attention
    assert view.matrix_pictures[0].step == WEIGHTS
    screen.click("1 Scores##attention title")
    assert view.step == SCORES
    screen.click("Mask##attention")
    screen.frame()
    assert view.matrix_pictures[0].step == MASKED
    press(screen, "Shift+S")
    assert view.step == WEIGHTS


def test_the_inspector_names_query_and_key(screen: Screen) -> None:
    rows = dict(facts(screen.state, TensorIndex("h.0.attn.pattern", (0, 4, 2)), None))
    assert rows["Query"].startswith('" girl"')
    assert rows["Key"].startswith('" a"')
    assert rows["Query at"] == "5 of 12, position 4"
    assert "Token" not in rows
    later = dict(facts(screen.state, TensorIndex("h.0.attn.pattern", (0, 1, 2)), None))
    assert later["Key"].endswith("later: masked")
    assert "Token" in dict(facts(screen.state, TensorIndex("h.0.attn.qkv", (4, 2)), None))


def test_a_model_without_heads_is_explained_in_one_line(screen: Screen) -> None:
    view = screen.state.attention
    view.lay_out((), ())
    view.problem = "This model has no attention heads, so there is no attention to show."
    screen.frame(2)
    assert screen.shows(view.problem)
    press(screen, "Right")
    screen.frame(2)


@pytest.mark.parametrize("rows", [0, 1, 2, 300])
def test_any_number_of_tokens_can_be_shown(screen: Screen, rows: int) -> None:
    view = screen.state.attention
    view.rows, screen.state.inspection.rows = rows, rows
    screen.frame(2)
    assert bool(view.matrix_pictures) == (rows > 0)
