"""The Lens panel on a screen without a GPU: mouse, keys, the target, the selection, and what it says."""

from __future__ import annotations

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.lens_view import AGREEMENT, MODES
from atlas_viewer.state.runs import Run
from atlas_viewer.state.selection import NOTHING, Selection
from atlas_viewer.state.state import ModelSummary, State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.panels import tokens
from atlas_viewer.ui.services import Services
from compute.lens.self_check import LOGITS_CHECK, SelfCheck
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeTokenizer, fake_step
from helpers.fake_lens import POINTS, lens_cells
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
ROWS = 8
TEXTS = ("Once", " upon", " a")


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, list(enumerate(TEXTS)), [fake_step(i) for i in range(ROWS - 3)])
    run.done = True
    made = State("Once upon a", options, model=MODEL, run=run)
    known = registry(STORIES, 256)
    known.rows = made.inspection.rows = ROWS
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    view = made.lens
    view.points, view.rows = POINTS, ROWS
    view.take(lens_cells(range(ROWS)), 0)
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch, Services(tokenizer=FakeTokenizer("<{}>")))
    press(made, "Shift+L")
    made.frame(3)
    assert state.ui.view == "Lens"
    return made


def place_of(position: int, point: int) -> ImVec2:
    """The center of a cell. All positions are visible, each nine ems wide, and rows as high as can be."""
    box = widget_tracking.rects["lens grid"]
    wide, high = theme.em(9.0), theme.em(5.6)
    return ImVec2(box.right - (ROWS - position - 0.5) * wide, box.bottom - (len(POINTS) - point - 0.5) * high)


def test_pointing_at_a_cell_lists_its_tokens_and_highlights_it(screen: Screen) -> None:
    state = screen.state
    screen.point(place_of(3, 1))
    assert state.hovered == Selection(position=3, layer=0, token=32)
    tip = next(text for text in screen.texts if text.startswith("after token"))
    assert tip.splitlines() == [
        'after token 3 " little", after block 0:',
        ' 36.788 %  "<32>"',
        ' 13.534 %  "<132>"',
        '  4.979 %  "<232>"',
        "entropy 3.00 nats",
        'final prediction "<32>", likeliest after block 0 and later',
    ]
    assert screen.shows('after " little" (3), after block 0: "<32>" 36.788 %, entropy 3.00 nats')
    screen.point(ImVec2(2, 2))
    assert state.hovered == NOTHING


def test_a_click_selects_the_cell_and_map_goes_there(screen: Screen) -> None:
    state = screen.state
    screen.point(place_of(5, 2))
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    assert state.selected == Selection(position=5, layer=1, token=52)
    assert state.map.wanted == TensorIndex("h.1.resid_post", (5, 0)), "Map will go there once it is loaded"
    assert state.ui.view == "Lens"


def test_a_double_click_opens_map(screen: Screen) -> None:
    screen.point(place_of(5, 2))
    for down in (True, False, True):
        screen.io.add_mouse_button_event(0, down)
        screen.frame_fast()
    assert screen.state.ui.view == "Map"


def test_the_selection_of_other_views_is_marked(screen: Screen) -> None:
    state = screen.state
    for selected, across, down in (
        (Selection(position=2, layer=1), 1, 1),
        (Selection(position=2), 1, len(POINTS)),
        (Selection(layer=0), ROWS, 1),
    ):
        state.selected = selected
        screen.frame()
        box = widget_tracking.rects["marked lens"]
        assert (box.right - box.left) / theme.em(9.0) == pytest.approx(across, abs=0.1)
        assert (box.bottom - box.top) / theme.em(5.6) == pytest.approx(down, abs=0.1)
    state.selected = Selection(position=ROWS + 40)
    screen.frame()
    assert "marked lens" not in widget_tracking.rects


def test_arrow_keys_move_the_selected_cell(screen: Screen) -> None:
    state = screen.state
    screen.point(place_of(5, 2))
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    screen.point(ImVec2(2, 2))
    screen.press(imgui.Key.left_arrow)
    screen.press(imgui.Key.up_arrow)
    assert (state.selected.position, state.selected.layer) == (4, 0)


def test_keys_and_combo_change_the_coloring(screen: Screen) -> None:
    state = screen.state
    for mode in (*MODES[1:], MODES[0]):
        press(screen, "Shift+K")
        assert state.lens.mode == mode
        screen.frame()
    screen.click("##lens color")
    screen.frame()
    screen.click(f"{AGREEMENT}##lens color")
    assert state.lens.mode == AGREEMENT


def test_the_target_field_names_the_tokens_of_a_text_that_is_several(screen: Screen) -> None:
    state = screen.state
    screen.click("##lens target")
    screen.io.add_input_characters_utf8("two words")
    screen.frame(2)
    assert not state.lens.target
    assert screen.shows('target "two words": is 2 tokens, "<0>" (id:0), "<1>" (id:1); give one')
    press(screen, "Ctrl+A")
    screen.io.add_input_characters_utf8("id:11")
    screen.frame(2)
    assert (state.lens.target, state.lens.refused) == (11, "")
    state.lens.take(lens_cells(range(ROWS), 11), 0)
    screen.point(place_of(0, 2))
    assert screen.shows('target "<11>": rank 20, 100.000 %')


def test_wheel_zooms_and_moves(screen: Screen) -> None:
    view = screen.state.lens
    screen.point(place_of(4, 1))
    screen.io.add_key_event(imgui.Key.mod_ctrl, True)
    screen.io.add_mouse_wheel_event(0, 5)
    screen.frame(2)
    screen.io.add_key_event(imgui.Key.mod_ctrl, False)
    assert view.shown is not None
    assert view.shown < ROWS
    left = view.visible(view.positions())[0]
    screen.io.add_mouse_wheel_event(0, 1)
    screen.frame(2)
    assert view.visible(view.positions())[0] < left
    press(screen, "F")
    assert view.shown is None


def test_a_violated_self_check_is_red_with_its_size(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    state = screen.state
    written: list[tuple[str, object]] = []
    monkeypatch.setattr(
        "atlas_viewer.ui.panels.lens_legend.small_text", lambda _corner, color, text: written.append((text, color))
    )
    for error, text, color in (
        (1e-5, "last point equals the logits: error 1e-05 (limit 0.002)", theme.now.text_dim),
        (0.5, "violated: last point equals the logits: error 0.5 (limit 0.002)", theme.now.error),
        (float("nan"), "violated: last point equals the logits: error nan (limit 0.002)", theme.now.error),
    ):
        state.lens.check = SelfCheck(LOGITS_CHECK, error)
        written.clear()
        screen.frame()
        assert written[-1] == (text, color)


def test_without_a_model_one_line_says_why(screen: Screen) -> None:
    screen.state.lens.problem = "a.atlas: its model is missing; give its file with --model"
    screen.frame()
    assert screen.shows("a.atlas: its model is missing; give its file with --model")
    assert "lens grid" not in widget_tracking.rects


def test_chips_show_where_a_token_was_known(state: State) -> None:
    state.ui.chip_color, run = "known at", state.run
    assert run is not None
    step = run.steps[0]
    assert tokens.strength_on(state, run, step) == 0, "not the likeliest token"
    column = state.lens.columns[2]
    column.tokens[column.known :, 0] = step.token
    assert tokens.strength_on(state, run, step) == column.known / 2


def test_ranks_need_a_target(screen: Screen) -> None:
    assert not screen.shows("type a target")
    screen.state.lens.mode = "rank of target"
    screen.frame()
    assert screen.shows("type a target to see its ranks")
