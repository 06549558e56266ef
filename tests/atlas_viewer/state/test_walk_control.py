"""The open walk as plain values: what it shows, dims, fetches and says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atlas_viewer.state import walk_control
from atlas_viewer.state.inspection import PROBES, ProbedValue
from atlas_viewer.state.map_camera import CameraPose
from atlas_viewer.state.requests import Continue
from atlas_viewer.state.spotlight import NOTHING
from atlas_viewer.state.state import State
from atlas_viewer.state.walk_facts import UNKNOWN, fact
from atlas_viewer.state.walk_subjects import box_of_subject
from atlas_viewer.walk.built_in import GUIDED, MINUTE
from atlas_viewer.walk.parser import parse_walk
from compute.views.map_layout import map_layout
from compute.views.probe import MOST

from helpers.map_registry import STORIES, registry
from helpers.walk_states import PANELS, ROWS, WINDOW, paused_state


@pytest.fixture
def state() -> State:
    return paused_state()


def begin(state: State, look: str, text: str = "Text", *more: str) -> None:
    walk = "".join(f"# Page\nlook: {line}\n{text}\n" for line in (look, *more))
    state.walks.begin(parse_walk(walk, "walk.txt"))
    frame(state)


def frame(state: State, now: float = 0.0) -> None:
    walk_control.frame(state, PANELS, now)


def arrive(state: State) -> None:
    for step in range(9):
        frame(state, step * 0.1)
        state.map.advance(step * 0.1)


def is_dimmed(state: State, x: float, y: float) -> bool:
    boxes = state.map.spotlight.dimmed
    return bool(((boxes[:, :2] <= (x, y)) & ((x, y) < boxes[:, :2] + boxes[:, 2:])).all(axis=1).any())


def test_a_walk_brings_map_to_the_front_when_it_was_never_visible(state: State) -> None:
    state.map.registry, state.map.layout = None, None
    state.ui.shown, state.ui.raised = set(), ""
    begin(state, "h.3.attn.out")
    assert state.ui.raised == "Map"
    state.ui.raised, state.map.problem = "", "Map needs more memory"
    frame(state)
    assert not state.ui.raised


@pytest.mark.parametrize("look", ["h.3.attn.out", "block 2", "h.3.attn.pattern head 2 row last", "wte[1, 2]", "whole"])
def test_only_the_subject_is_bright(state: State, look: str) -> None:
    if look.startswith("wte"):
        assert state.map.registry is not None
        state.map.lay_out(state.map.registry, map_layout(state.map.registry, WINDOW, tables=True))
    begin(state, look)
    arrive(state)
    assert state.map.registry is not None
    assert state.map.layout is not None
    assert state.walks.subject is not None
    box = box_of_subject(state.walks.subject, state.map.registry, state.map.layout)
    assert box is not None
    x, y, width, height = box
    assert not is_dimmed(state, x + width / 2, y + height / 2)
    for there in ((x - width, y + height / 2), (x + width / 2, y + 2 * height)):
        assert is_dimmed(state, *there) == (look != "whole")
    left, top = state.map.view.pixel_at(x, y)
    right, bottom = state.map.view.pixel_at(x + width, y + height)
    assert -1 <= left < right <= 801
    assert -1 <= top < bottom <= 451


def test_the_user_moves_the_camera_and_everything_is_bright_again(state: State) -> None:
    begin(state, "h.3.attn.out")
    arrive(state)
    assert len(state.map.spotlight.dimmed)
    state.map.camera.drag(5, 0, *state.map.size)
    frame(state, 2.0)
    assert state.map.spotlight is NOTHING
    assert state.walks.page is not None


def test_a_page_follows_the_newest_row_unless_the_user_has_moved(state: State) -> None:
    begin(state, "h.3.attn.out[last, 0]")
    arrive(state)
    before = state.map.camera.pose
    assert state.map.registry is not None
    state.map.registry.rows += 1
    arrive(state)
    assert state.map.camera.pose.y > before.y
    state.map.camera.pose = CameraPose(3.0, 100.0, 100.0)
    frame(state, 3.0)
    state.map.registry.rows += 1
    arrive(state)
    assert state.map.camera.pose == CameraPose(3.0, 100.0, 100.0)


def test_another_layout_of_map_shows_the_subject_again(state: State) -> None:
    begin(state, "h.3.attn.out")
    arrive(state)
    assert state.map.registry is not None
    state.map.lay_out(state.map.registry, map_layout(state.map.registry, 2 * WINDOW))
    arrive(state)
    assert state.walks.subject is not None
    assert len(state.map.spotlight.dimmed)


def test_a_page_generates_tokens_once(state: State) -> None:
    state.walks.begin(parse_walk("# A\nlook: whole\nrun: 3\nText\n# B\nlook: whole\nText\n", "walk.txt"))
    frame(state)
    assert list(state.requests) == [Continue(3)]
    for number in (1, 0):
        state.walks.go(number)
        frame(state)
    assert list(state.requests) == [Continue(3)]


def test_a_row_that_the_text_does_not_reach_yet(state: State) -> None:
    begin(state, f"h.3.attn.out row {ROWS}")
    page = state.walks.page
    assert page is not None
    assert walk_control.note(state, page).startswith(f"The text is still too short for h.3.attn.out row {ROWS}")
    assert state.walks.subject is not None


def test_a_walk_that_does_not_fit_the_model_says_so_in_one_line(state: State) -> None:
    begin(state, "h.30.attn.out")
    assert state.walks.page is None
    assert state.walks.problem == (
        'This walk does not fit the model: walk.txt:2: unknown tensor "h.30.attn.out" (nearest: h.7.attn.out)'
    )
    assert state.map.spotlight is NOTHING


def test_the_strongest_token_is_known_when_all_shares_have_arrived(state: State) -> None:
    begin(state, "h.3.attn.pattern head 2", "{strongest token}")
    frame(state)
    assert fact(state, "strongest token") == UNKNOWN
    while state.inspection.extra:
        assert len(state.inspection.watched) <= PROBES
        for element in state.inspection.extra[:5]:
            assert element.index[:2] == (2, ROWS - 1)
            share = 0.6 if element.index[2] == 1 else 0.01
            state.inspection.probed_values[element] = ProbedValue(share, element.index)
        frame(state)
    assert fact(state, "strongest token") == '" upon"'


def test_as_many_values_are_watched_as_there_are_probes() -> None:
    assert PROBES == MOST


def test_facts_of_the_run_and_the_model(state: State) -> None:
    assert fact(state, "token 2") == '" upon"'
    assert fact(state, "token 99") == UNKNOWN
    assert fact(state, "tokens") == str(ROWS)
    assert fact(state, "prompt tokens") == "3"
    assert fact(state, "prompt") == '"Once upon a"'
    assert fact(state, "temperature") == f"{state.options.temperature:g}"
    assert fact(state, "parameters") == "13 million"
    assert (fact(state, "layers"), fact(state, "heads"), fact(state, "channels")) == ("8", "6", "192")
    begin(state, "whole")
    assert fact(state, "hidden") == "768"


@pytest.mark.parametrize("name", [GUIDED, MINUTE])
def test_every_page_of_the_built_in_walks_can_be_shown(state: State, name: str) -> None:
    state.walks.wanted = name
    frame(state)
    for number in range(state.walks.pages):
        state.walks.go(number)
        arrive(state)
        page = state.walks.page
        assert page is not None
        assert state.walks.subject == page.subject
        assert not walk_control.note(state, page)


def test_captions_go_on_by_themselves_but_not_under_the_mouse(state: State) -> None:
    state.walks.wanted = MINUTE
    frame(state, 0.0)
    assert state.walks.caption
    frame(state, 10.0)
    assert state.walks.number == 0
    state.walks.held = True
    frame(state, 20.0)
    assert state.walks.number == 0
    state.walks.held = False
    frame(state, 20.1)
    assert state.walks.number == 1
    for now in (21.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0):
        frame(state, now)
    assert state.walks.source is None


def test_closing_a_walk_leaves_nothing_behind(state: State) -> None:
    begin(state, "h.3.attn.out[last, 0]", "{value}")
    frame(state)
    assert state.inspection.extra
    walk_control.close(state)
    frame(state)
    assert state.map.spotlight is NOTHING
    assert not state.inspection.extra


def test_another_model_opens_the_page_again_or_says_why_it_cannot(state: State) -> None:
    begin(state, "h.last.attn.out", "Text", "h.3.attn.out")
    arrive(state)
    for layers, name in ((4, "h.3.attn.out"), (2, "")):
        smaller = registry(replace(STORIES, layers=layers), 256)
        smaller.rows = ROWS
        state.map.lay_out(smaller, map_layout(smaller, WINDOW))
        arrive(state)
        assert (state.walks.subject.name if state.walks.subject else "") == name
        assert bool(state.walks.problem) == (not name)


def test_the_words_for_the_tensor_under_the_mouse_are_lit(state: State) -> None:
    begin(state, "whole", "See [this](h.3.attn.out) or [that](h.4.attn.out row last).")
    state.inspection.hover(state.inspection.tensors["h.4.attn.out"].first, moved=True)
    assert [walk_control.is_lit(state, link) for link in state.walks.links] == [False, True]
    state.inspection.hover(None, moved=True)
    assert not any(walk_control.is_lit(state, link) for link in state.walks.links)
