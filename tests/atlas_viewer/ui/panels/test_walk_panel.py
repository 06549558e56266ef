"""The Walk panel, captions, the slow motion's bar and F1, on a screen without a GPU."""

from __future__ import annotations

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.explanation import PANELS
from atlas_viewer.state.requests import Continue, Pause
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import NAMES
from atlas_viewer.ui.services import Services
from atlas_viewer.walk.parser import parse_walk

from helpers.fake_generation import FakeTokenizer
from helpers.screen import Screen, context, press
from helpers.walk_states import paused_state

__all__ = ["context"]


@pytest.fixture
def state() -> State:
    return paused_state()


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch, Services(map=imgui.ImTextureRef(1), tokenizer=FakeTokenizer("<{}>")), "Map")
    press(made, "M")
    made.frame(3)
    return made


def explained(state: State) -> str:
    """The sentence that F1 shows."""
    return state.explanation.text


def point_at_picture(screen: Screen) -> None:
    picture = widget_tracking.rects["map"]
    screen.point(ImVec2(picture.left + 3, picture.top + 3))


def test_the_guided_walk_opens_in_front_and_keys_turn_its_pages(screen: Screen, state: State) -> None:
    press(screen, "F3")
    screen.frame(4)
    assert "Walk" in state.ui.shown
    assert screen.shows("The whole model")
    for chord, number in (("Space", 1), ("Right", 2), ("PageDown", 3), ("Left", 2), ("Backspace", 1), ("PageUp", 0)):
        press(screen, chord)
        screen.frame(3)
        assert state.walks.number == number, chord
    assert not state.requests  # Space neither plays the run nor does Backspace remove a token


def test_space_plays_the_run_again_when_another_panel_has_the_focus(screen: Screen, state: State) -> None:
    press(screen, "F3")
    screen.frame(4)
    press(screen, "M")
    screen.frame(3)
    press(screen, "Space")
    assert list(state.requests) == [Continue()]
    press(screen, "PageDown")
    screen.frame(3)
    assert state.walks.number == 1


def test_a_link_is_outlined_while_the_mouse_is_over_it_and_a_click_goes_there(screen: Screen, state: State) -> None:
    state.walks.begin(parse_walk("# A\nlook: whole\nSee [this tensor](h.3.attn.out) now.\n", "walk.txt"))
    state.ui.front = "Walk"
    screen.frame(4)
    assert not len(state.map.spotlight.outlined)
    screen.point(screen.centers["walk link 0"])
    screen.frame(2)
    assert len(state.map.spotlight.outlined) == 1
    screen.click("walk link 0")
    screen.frame()
    assert state.walks.subject is not None
    assert state.walks.subject.name == "h.3.attn.out"
    assert len(state.map.spotlight.dimmed)


def test_enter_follows_the_links_one_after_the_other(screen: Screen, state: State) -> None:
    state.walks.begin(parse_walk("# A\nlook: whole\nSee [a](h.3.attn.out) or [b](h.4.attn.out).\n", "walk.txt"))
    state.ui.front = "Walk"
    screen.frame(4)
    names = []
    for _ in range(3):
        press(screen, "Enter")
        screen.frame(2)
        assert state.walks.subject is not None
        names.append(state.walks.subject.name)
    assert names == ["h.3.attn.out", "h.4.attn.out", ""]


def test_a_page_shows_a_panel_that_does_not_cover_the_walk(screen: Screen, state: State) -> None:
    state.walks.begin(parse_walk("# A\nlook: whole\npanel: Trace\nText\n", "walk.txt"))
    state.ui.front = "Walk"
    screen.frame(6)
    assert {"Walk", "Trace"} <= state.ui.shown


def test_a_walk_without_a_map_gives_the_reason(screen: Screen, state: State) -> None:
    state.map.layout, state.map.registry, state.map.problem = None, None, "too large"
    press(screen, "F3")
    screen.frame(4)
    assert screen.shows("The walk needs Map: too large")


def test_the_invitation_leads_to_the_tour_and_escape_ends_it(screen: Screen, state: State) -> None:
    state.walks.invited = True
    screen.frame(3)
    screen.click("invitation tour")
    screen.frame(3)
    assert not state.walks.invited
    assert screen.shows("A whole language model")
    screen.click("caption next")
    screen.frame(2)
    assert screen.shows("One block")
    press(screen, "Escape")
    screen.frame(2)
    assert state.walks.source is None
    assert "caption next" not in screen.centers


def test_the_invitation_can_be_declined(screen: Screen, state: State) -> None:
    state.walks.invited = True
    screen.frame(3)
    press(screen, "Escape")
    screen.frame(2)
    assert "invitation tour" not in screen.centers


def test_slow_motion_generates_a_token_and_shows_its_pass(screen: Screen, state: State) -> None:
    press(screen, "Shift+.")
    assert list(state.requests) == [Continue(1)]
    screen.frame()
    assert screen.shows("computing the next token")
    state.requests.clear()
    screen.frame(2)
    assert screen.shows("embed.tokens")
    assert screen.shows("The embedding row of each context token.")
    screen.click("wave on")
    screen.frame()
    assert state.wavefront.step.name == "embed.positions"
    press(screen, "Escape")
    screen.frame()
    assert not state.wavefront.on


def test_slow_motion_pauses_a_run_in_progress(screen: Screen, state: State) -> None:
    assert state.run is not None
    state.run.done = False
    press(screen, "Shift+.")
    assert list(state.requests) == [Pause()]


def test_f1_explains_widgets_tensors_and_panels_until_the_mouse_moves(screen: Screen, state: State) -> None:
    screen.point(screen.centers["Fit##map"])
    press(screen, "F1")
    assert explained(state) == "Show the whole map  F"
    screen.point(ImVec2(1000, 700))
    screen.frame()
    assert not explained(state)
    cursor = state.inspection.tensors["h.3.attn.out"].first
    state.map.go(cursor)
    screen.frame(2)
    cell = state.map.cell_of(cursor)
    assert cell is not None
    picture = widget_tracking.rects["map"]
    x, y = state.map.view.pixel_at(cell[0] + 0.5, cell[1] + 0.5)
    screen.point(ImVec2(picture.left + x, picture.top + y))
    press(screen, "F1")
    assert explained(state) == "h.3.attn.out: Block 3: Values mixed by attention, heads side by side."
    press(screen, "Escape")
    assert not explained(state)
    state.map.fit()
    screen.frame(2)
    point_at_picture(screen)
    press(screen, "F1")
    assert explained(state).startswith("Map shows every number")
    screen.io.add_mouse_pos_event(-1, -1)
    screen.frame(2)
    press(screen, "F1")
    assert explained(state).startswith("This window shows a language model")


def test_f1_explains_every_panel_and_its_tab(screen: Screen, state: State) -> None:
    for name in NAMES:
        tab = widget_tracking.rects[f"tab:{name}"]
        screen.point(ImVec2(*tab.center))
        press(screen, "F1")
        assert explained(state) == PANELS[name], name
        press(screen, "Escape")
    screen.point(ImVec2(*widget_tracking.rects["timeline track"].center))
    press(screen, "F1")
    assert explained(state) == PANELS["Timeline"]
