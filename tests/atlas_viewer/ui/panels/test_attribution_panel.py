"""The Attribution panel on a screen without a GPU: what it shows, and where mouse and keys lead."""

from __future__ import annotations

import dataclasses

import pytest
from imgui_bundle import ImVec2

from atlas_viewer.state.attribution_view import NEURONS, PARTS, STREAM, Aim, Shown
from atlas_viewer.state.inspection import TensorInfo
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.services import Services

from helpers import attributions
from helpers.fake_generation import FakeTokenizer, paused_state
from helpers.map_registry import STORIES, registry
from helpers.screen import Screen, context, press

__all__ = ["context"]

# The paused run has one token of the prompt and five steps; its last step was predicted at position 4.
AIM = Aim(target=4000, against=None, position=4, row=4)


def _shown(against: int | None = None, error: float = 0.0) -> Shown:
    """error: by how much the logit is smaller than the sum of the parts."""
    parts = attributions.parts(4, 4000, against)
    return Shown(AIM, dataclasses.replace(parts, logit=parts.logit - error))


@pytest.fixture
def state() -> State:
    made = paused_state()
    known = registry(STORIES, 256)
    known.rows = 5
    made.inspection.tensors = {tensor.name: TensorInfo.of(known, tensor) for tensor in known}
    made.inspection.rows = 5
    made.attribution.shown, made.attribution.current = _shown(), True
    made.attribution.stream = attributions.stream(4)
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch, Services(tokenizer=FakeTokenizer("<{}>")))
    press(made, "Y")
    made.frame(3)
    assert state.ui.view == "Attribution"
    assert "Attribution" in state.ui.shown
    return made


def _cell(layer: int, column: int) -> ImVec2:
    """The middle of a cell of the map, which has two rows, and five columns with a small gap after the third."""
    box = widget_tracking.rects["attribution map"]
    wide, high = (box.right - box.left) / 5.1, (box.bottom - box.top) / 2
    shift = 0.1 * wide if column >= 3 else 0.0
    return ImVec2(box.left + (column + 0.5) * wide + shift, box.top + (layer + 0.5) * high)


def _click(screen: Screen) -> None:
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()


def test_the_sum_is_shown_with_its_remainder(screen: Screen) -> None:
    assert screen.shows('logit of "<4000>" after token 4')
    assert screen.shows("sum of 12 parts")
    assert screen.shows("(at most 0.002)")
    assert not screen.shows("FAILED")


def test_a_violated_check_is_shown_with_its_size(screen: Screen) -> None:
    screen.state.attribution.shown = _shown(error=0.25)
    screen.frame()
    assert screen.shows("remainder +2.5e-01 (at most 0.002)")
    assert screen.shows("parts sum to the logit: FAILED, error 0.25 (limit 0.002)")


def test_a_difference_names_both_tokens(screen: Screen) -> None:
    screen.state.attribution.shown = _shown(against=17)
    screen.frame()
    assert screen.shows('logit of "<4000>" minus logit of "<17>"')


def test_pointing_at_a_head_shows_and_marks_its_sources(screen: Screen) -> None:
    state = screen.state
    screen.point(_cell(0, 1))
    assert state.hovered == Selection(position=4, layer=0, head=1, key=2)
    assert state.attribution.marks == {2: 1.0, 3: pytest.approx(0.4), 1: pytest.approx(0.2)}
    assert screen.shows("layer 0 head 1: -1.0000\n-0.8333 from token 2")
    screen.frame()
    assert screen.shows("layer 0 head 1, -1.0000, taken from")
    assert {"marked chip0", "marked chip1", "marked chip2"} <= set(widget_tracking.rects)
    screen.point(ImVec2(2, 2))
    screen.frame(2)
    assert state.attribution.marks == {}
    assert screen.shows("layer 1 head 2, +3.0000, taken from"), "the largest head"


def test_the_map_and_the_bars_agree(screen: Screen) -> None:
    for part, cell in (("layer 0 head 2", (0, 2)), ("layer 1 head 2", (1, 2)), ("layer 0 head 0", (0, 0))):
        screen.point(screen.centers[f"part {part}"])
        by_bar = screen.state.hovered
        screen.point(_cell(*cell))
        assert screen.state.hovered == by_bar
        assert (by_bar.layer, by_bar.head) == cell


def test_a_click_on_a_head_selects_it_and_opens_attention(screen: Screen) -> None:
    state = screen.state
    screen.point(_cell(1, 2))
    _click(screen)
    screen.frame(2)
    assert state.ui.view == "Attention"
    assert state.selected == Selection(position=4, layer=1, head=2, key=2)


def test_a_click_on_an_mlp_opens_its_row_on_map(screen: Screen) -> None:
    state = screen.state
    screen.point(_cell(1, 4))
    assert screen.shows("layer 1 MLP: -0.5000\nClick: go to it on Map")
    assert state.attribution.marks == {}
    _click(screen)
    screen.frame(2)
    assert state.ui.view == "Map"
    assert state.map.wanted is not None
    assert state.map.wanted.name == "h.1.mlp.c_proj"
    assert state.inspected is not None
    assert str(state.inspected) == "h.1.mlp.c_proj[4, 0]"


def test_a_click_on_a_source_selects_the_query_and_the_key(screen: Screen) -> None:
    screen.click("source 2")
    screen.frame(2)
    assert screen.state.ui.view == "Attention"
    assert screen.state.selected == Selection(position=4, layer=1, head=2, key=2)


def test_a_selected_head_stays_in_view(screen: Screen) -> None:
    screen.state.selected = Selection(layer=0, head=2)
    screen.frame(2)
    assert screen.shows("layer 0 head 2, +0.5000, taken from")
    assert {"marked attribution map 0 2", "marked part layer 0 head 2"} <= set(widget_tracking.rects)


def test_what_is_typed_reaches_the_state_and_reset_clears_it(screen: Screen) -> None:
    view = screen.state.attribution
    for field, text in (("target", " Lily"), ("against", " Tim"), ("position", "2")):
        screen.click(f"##attribution {field}")
        screen.io.add_input_characters_utf8(text)
        screen.frame(2)
        assert getattr(view, field) == text
    screen.click("Reset##attribution")
    screen.frame(2)
    assert (view.target, view.against, view.position) == ("", "", "")


def test_an_error_is_shown_and_the_parts_stay(screen: Screen) -> None:
    screen.state.attribution.error = 'target="Elara": is 2 tokens'
    screen.frame()
    assert screen.shows("is 2 tokens")
    assert "attribution map" in widget_tracking.rects


def test_sections_follow_each_other_by_key_and_by_button(screen: Screen) -> None:
    view = screen.state.attribution
    press(screen, "Shift+Y")
    screen.frame(3)
    assert view.section == STREAM
    assert {"plot norm of the stream", "plot norm added", "plot cosine to the final stream"} <= set(
        widget_tracking.rects
    )
    screen.point(screen.centers["plot norm added"])
    assert screen.shows("MLP: ")
    screen.click("Neurons##attribution")
    assert view.section == NEURONS
    screen.frame(2)
    assert screen.shows("+1.5000")
    screen.click("Parts##attribution")
    assert view.section == PARTS


def test_clicks_on_a_neuron_and_on_its_weights_open_them_on_map(screen: Screen) -> None:
    state = screen.state
    for label, name, first in (("neuron 2", "h.1.mlp.gelu", (4, 11)), ("reads 2", "h.1.mlp.c_fc.weight", (11, 0))):
        state.attribution.section = NEURONS
        press(screen, "Y")
        screen.frame(3)
        screen.click(label)
        screen.frame(2)
        assert state.ui.view == "Map"
        assert state.map.wanted is not None
        assert (state.map.wanted.name, state.map.wanted.index) == (name, first)


def test_a_key_opens_the_largest_head_in_attention(screen: Screen) -> None:
    press(screen, "Ctrl+Y")
    screen.frame(2)
    assert screen.state.ui.view == "Attention"
    assert (screen.state.selected.layer, screen.state.selected.head) == (1, 2)


def test_without_values_or_steps_a_line_says_why(screen: Screen) -> None:
    screen.state.attribution.problem = "r.atlas: its model is missing; give its file with --model"
    screen.frame()
    assert screen.shows("its model is missing")
    assert "attribution map" not in widget_tracking.rects
    screen.state.attribution.problem, screen.state.run = "", None
    screen.frame()
    assert screen.shows("adds to the logit of a generated token")


def test_narrow_panels_show_the_same(screen: Screen) -> None:
    screen.state.ui.lecture = True
    screen.state.ui.drawers = ["Attribution"]
    screen.state.ui.view = "Map"
    screen.frame(4)
    assert "attribution map" in widget_tracking.rects
    assert "part layer 1 head 2" in widget_tracking.rects
    assert screen.shows("layer 1 head 2, +3.0000, taken from")
