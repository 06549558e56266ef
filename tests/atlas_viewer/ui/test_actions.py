"""Actions: their keys, the palette and the menus that run them."""

from __future__ import annotations

import dataclasses

import pytest
from imgui_bundle import imgui

from atlas_viewer.app.input_events import Input, navigate_again
from atlas_viewer.state.requests import Branch, Continue, Generate, Pause, ShowRun, Stop, Undo
from atlas_viewer.state.state import State
from atlas_viewer.ui import shortcuts
from atlas_viewer.ui.actions import ACTIONS, FOCUSED, matching
from atlas_viewer.ui.panels import NAMES, menu_bar
from atlas_viewer.ui.panels.menu_bar import MENUS

from helpers.fake_generation import paused_state
from helpers.screen import Screen, context, press

__all__ = ["context"]


@pytest.fixture
def state() -> State:
    return paused_state(palettes=("demo", "blue-orange"))


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch)
    imgui.set_window_focus(None)
    made.frame(2)
    return made


def test_ctrl_f_focuses_the_token_search(screen: Screen, state: State) -> None:
    press(screen, "Ctrl+F")
    screen.io.add_input_characters_utf8("fox")
    screen.frame(3)
    assert state.logits.words == "fox"


def test_b_compares_with_the_previous_step_and_n_ends_it(screen: Screen, state: State) -> None:
    press(screen, "N")
    state.chosen = 3
    press(screen, "B")
    assert state.compared == 2
    press(screen, "N")
    assert state.compared is None
    state.chosen = 0
    press(screen, "B")
    assert state.compared is None


def test_no_two_actions_share_a_key_or_a_name() -> None:
    chords = [shortcuts.parts(action.chord) for action in ACTIONS if action.chord]
    assert len(set(chords)) == len(chords)
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)
    assert len({action.title for action in ACTIONS}) == len(ACTIONS)
    assert {action.menu for action in ACTIONS} <= set(MENUS)
    for action in ACTIONS:
        if action.chord:
            shortcuts.imgui_key(shortcuts.parts(action.chord)[1])
    # Keys of Strip and Map that are not actions.
    taken = {(frozenset[str](), arrow) for arrow in ("Up", "Down", "Left", "Right")} | {(frozenset({"Ctrl"}), "C")}
    assert not taken & set(chords)
    assert set(FOCUSED) <= set(NAMES)


@pytest.mark.parametrize(
    ("chord", "held", "name"),
    [("F", set(), "F"), ("Ctrl+Enter", {"Ctrl"}, "Enter"), ("+", set(), "+"), ("Ctrl++", {"Ctrl"}, "+"),
     ("Ctrl+.", {"Ctrl"}, "."), ("Ctrl+Shift+L", {"Ctrl", "Shift"}, "L")],
)  # fmt: skip
def test_chords(chord: str, held: set[str], name: str) -> None:
    assert shortcuts.parts(chord) == (frozenset(held), name)


@pytest.mark.parametrize("chord", ["", "Strg+A"])
def test_a_bad_chord_is_refused(chord: str) -> None:
    with pytest.raises(ValueError, match="is not a chord"):
        shortcuts.parts(chord)
    with pytest.raises(ValueError, match="is not a key"):
        shortcuts.imgui_key("Any")


def test_keys_leave_requests(screen: Screen, state: State) -> None:
    press(screen, "Space")
    press(screen, ".")
    press(screen, "Backspace")
    press(screen, "Ctrl+Enter")
    assert list(state.requests) == [Continue(), Continue(1), Undo(), Generate("Once upon a", state.options)]
    state.requests.clear()
    assert state.run is not None
    state.run.done = False
    press(screen, ".")  # ignored while the run is in progress
    press(screen, "Space")
    press(screen, "Ctrl+.")
    assert list(state.requests) == [Pause(), Stop()]


def test_keys_choose_tokens_and_color_mappings(screen: Screen, state: State) -> None:
    press(screen, "[")
    press(screen, "[")
    assert state.chosen == 2
    press(screen, "]")
    assert state.chosen == 3
    press(screen, "End")
    assert state.chosen is None
    press(screen, "P")
    press(screen, "C")
    mapping = state.inspection.mapping
    assert (mapping.sampling, mapping.palette) == ("point", "blue-orange")
    press(screen, "K")
    assert state.ui.chip_color == "rank"
    press(screen, "T")
    assert state.inspection.trace_on


def test_keys_navigate_the_tree_of_runs(screen: Screen, state: State) -> None:
    root = state.run
    assert root is not None
    first, second = (state.runs.branch(root, index) for index in (1, 3))
    for child in (first, second):
        child.steps, child.done, child.stop_reason = root.steps, True, "length"
    press(screen, "Alt+Down")
    assert list(state.requests) == [ShowRun(first.number)]
    state.run = first
    press(screen, "Alt+Left")  # it has no previous sibling
    press(screen, "Alt+Right")
    press(screen, "Alt+Up")
    assert list(state.requests)[1:] == [ShowRun(second.number), ShowRun(root.number)]


def test_no_key_runs_an_action_while_text_is_typed(screen: Screen, state: State) -> None:
    screen.click("##prompt")
    for chord in (".", "Space", "P", "Backspace"):
        press(screen, chord)
    assert not state.requests
    assert state.inspection.mapping.sampling == "pool"
    press(screen, "Ctrl+P")
    assert state.ui.dialog == "palette"


def test_the_palette_finds_and_runs_actions(screen: Screen, state: State) -> None:
    press(screen, "Ctrl+P")
    screen.frame(2)
    screen.io.add_input_characters_utf8("one token")
    screen.frame(2)
    assert state.ui.typed == "one token"
    press(screen, "Enter")
    assert list(state.requests) == [Continue(1)]
    assert state.ui.dialog == ""
    press(screen, "Ctrl+P")
    screen.frame(2)
    screen.io.add_input_characters_utf8("sibling")
    screen.frame(2)
    press(screen, "Down")
    assert state.ui.marked == 1
    press(screen, "Escape")
    assert state.ui.dialog == ""
    assert list(state.requests) == [Continue(1)]


def test_menus_are_divided_into_groups() -> None:
    menus = {action.name: action.menu for action in ACTIONS}
    assert set(menu_bar._GROUPS) <= set(menus)
    for menu in menu_bar.MENUS:
        named = [action.name for action in ACTIONS if action.menu == menu]
        assert named[0] not in menu_bar._GROUPS, "a line above the first entry divides nothing"
        lengths, begun = [], 0
        for at, name in enumerate(named):
            if name in menu_bar._GROUPS:
                lengths.append(at - begun)
                begun = at
        assert max([*lengths, len(named) - begun]) <= 15, menu


@pytest.mark.parametrize("busy", [True, False])
def test_an_action_has_one_word_everywhere(screen: Screen, state: State, busy: bool) -> None:
    """On its button, in its tooltip and in its menu."""
    assert state.run is not None
    state.run.done = not busy
    imgui.set_window_focus("Generated tokens")
    screen.frame(4)
    titles = {action.name: action.title for action in ACTIONS}
    words = {"Pause##play" if busy else "Play##play": "Pause" if busy else "Play", "Undo##undo": "Undo"}
    words |= {"Stop##stop": "Stop"} if busy else {"Step##step": "Step"}
    for button, word in words.items():
        screen.point(screen.centers[button])
        screen.frame(8)
        assert any(text.startswith(word) and "  " in text for text in screen.texts), (word, screen.texts)
        assert word.lower() in titles[f"run.{button.partition('##')[2]}"].lower()


def test_a_search_in_the_palette() -> None:
    assert matching("") == list(ACTIONS)
    assert [action.name for action in matching("ZOOM in")] == ["atlas.in"]
    assert {action.name for action in matching("view go to")} == {
        f"focus.{name}"
        for name in (*FOCUSED, "Attention", "Lens", "Attribution", "Patching", "Distribution", "Session", "Timeline")
    }
    assert matching("no such thing") == []


def test_shortcuts_and_about_open_and_close(screen: Screen, state: State) -> None:
    press(screen, "Shift+/")
    screen.frame(3)
    assert screen.shows("Undo: remove the last token")
    assert screen.shows("Backspace")
    press(screen, "Escape")
    assert not state.ui.dialog
    press(screen, "Shift+F1")
    screen.frame(3)
    assert screen.shows("fake on an adapter")
    press(screen, "Shift+F1")
    assert not state.ui.dialog


@pytest.mark.parametrize("alt", [True, False])
def test_only_arrow_keys_without_alt_move_the_keyboard_focus(screen: Screen, alt: bool) -> None:
    keyboard = Input()
    navigate_again()
    imgui.set_window_focus("Generated tokens")
    screen.frame()
    if alt:
        keyboard.add({"event_type": "key_down", "key": "Alt"})
        keyboard.feed()
    for _ in range(2):  # held down
        for down in (True, False):
            screen.io.add_key_event(imgui.Key.up_arrow, down)
            screen.frame()
            navigate_again()
    assert screen.io.nav_visible == (not alt)
    keyboard.add({"event_type": "key_up", "key": "Alt"})
    keyboard.feed()
    screen.frame()
    navigate_again()
    assert screen.io.config_flags & imgui.ConfigFlags_.nav_enable_keyboard


@pytest.mark.parametrize("chord", ["Shift+/", "Shift+F1", "Ctrl+O", "Ctrl+P"])
def test_a_click_outside_closes_a_dialog_and_does_nothing_else(screen: Screen, state: State, chord: str) -> None:
    center = screen.centers["##prompt"]
    press(screen, chord)
    screen.frame(3)
    assert state.ui.dialog
    screen.click("Generate")
    assert not state.ui.dialog
    assert not state.requests
    screen.frame(2)
    screen.click("Generate")
    assert len(state.requests) == 1
    assert (center.x, center.y) == (screen.centers["##prompt"].x, screen.centers["##prompt"].y)


def test_a_dialog_replaces_another_one(screen: Screen, state: State) -> None:
    for chord, dialog in (("Shift+/", "keys"), ("Shift+F1", "about"), ("Ctrl+O", "models"), ("Ctrl+P", "palette")):
        press(screen, chord)
        screen.frame(2)
        assert state.ui.dialog == dialog
    screen.io.add_input_characters_utf8("keyboard shortcuts")
    screen.frame(2)
    press(screen, "Enter")
    screen.frame(3)
    assert state.ui.dialog == "keys"
    assert screen.shows("Undo: remove the last token")
    assert not screen.shows("search for a command")


def test_panels_come_to_the_front(screen: Screen, state: State) -> None:
    press(screen, f"Ctrl+{1 + FOCUSED.index('Tensors')}")
    screen.frame(2)
    assert state.inspection.list_visible
    press(screen, "F2")
    assert state.run is not None
    assert state.ui.renaming == state.run.number
    screen.frame(3)
    screen.io.add_input_characters_utf8("the good one")
    screen.frame(2)
    press(screen, "Enter")
    assert state.run.name == "the good one"
    assert not state.ui.renaming


def test_menus_run_actions(screen: Screen, state: State) -> None:
    screen.click("Run##menu")
    screen.frame(2)
    screen.click("run.step")
    assert list(state.requests) == [Continue(1)]


def test_chips_mark_changed_options_and_branches(screen: Screen, state: State) -> None:
    run = state.run
    assert run is not None
    run.changes[3] = dataclasses.replace(run.options, temperature=1.5, top_k=40)
    screen.point(screen.centers["chip3"])
    screen.frame(4)
    assert screen.shows("from here on: temperature 1.5 (0.8 before), top-k 40 (0 before)")
    child = state.runs.branch(run, 2)
    child.steps, child.done, child.stop_reason = run.steps, True, "length"
    state.run = child
    screen.frame(2)
    screen.point(screen.centers["chip2"])
    screen.frame(4)
    assert screen.shows("chosen by hand: the run branches here")
    screen.click("token 4003")
    assert list(state.requests) == [Branch(4, 4003)]


def test_colors_are_adjusted_and_reset_by_actions(state: State) -> None:
    actions = {action.name: action for action in ACTIONS}
    for _ in range(3):
        actions["atlas.brighter"].run(state)
        actions["atlas.down"].run(state)
    actions["atlas.darker"].run(state)
    actions["atlas.curve"].run(state)
    actions["atlas.range"].run(state)
    mapping = state.inspection.mapping
    assert (mapping.exposure, round(mapping.offset, 6)) == (1.0, -0.15)
    assert (mapping.curve, mapping.span_scale) == ("linear", "all")
    for _ in range(100):
        actions["atlas.brighter"].run(state)
        actions["atlas.up"].run(state)
    assert (state.inspection.mapping.exposure, state.inspection.mapping.offset) == (20.0, 2.0)
    actions["atlas.plain"].run(state)
    mapping = state.inspection.mapping
    assert (mapping.exposure, mapping.offset, mapping.low, mapping.high) == (0.0, 0.0, 0.0, None)
