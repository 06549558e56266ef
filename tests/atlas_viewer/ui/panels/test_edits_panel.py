"""The Edits panel and the menu for editing what is selected."""

from __future__ import annotations

from pathlib import Path

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import edit_list
from atlas_viewer.state.edit_list import OFF, SOLO
from atlas_viewer.state.requests import ApplyEdits, PatchFrom
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State

from helpers.fake_generation import paused_state
from helpers.screen import Screen, context, press

__all__ = ["context"]

HEAD, STREAM = "h.1.attn.out[head=4] = 0", "h.1.resid_post += 2"


@pytest.fixture
def state() -> State:
    return paused_state()


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(state, monkeypatch)
    imgui.set_window_focus(None)
    made.frame(2)
    press(made, "Z")
    made.frame(3)
    return made


def _texts(state: State) -> list[str]:
    return [str(edit) for edit in state.edits.active]


def _type(screen: Screen, label: str, text: str) -> None:
    screen.click(label)
    screen.io.add_input_characters_utf8(text)
    screen.frame(2)
    screen.press(imgui.Key.enter)
    screen.frame(2)


def test_an_edit_is_typed_switched_moved_and_removed(screen: Screen, state: State) -> None:
    assert screen.shows("An edit changes numbers inside the model")
    _type(screen, "##new edit", HEAD)
    _type(screen, "##new edit", STREAM)
    assert _texts(state) == [HEAD, STREAM]
    assert isinstance(state.requests[-1], ApplyEdits)
    screen.click("edit on 0")
    assert _texts(state) == [STREAM]
    screen.click("edit down 0")
    assert [entry.text for entry in state.edits.entries] == [STREAM, HEAD]
    screen.click("edit remove 0")
    assert [entry.text for entry in state.edits.entries] == [HEAD]
    screen.click("edits undo")
    screen.click("edits undo")
    screen.click("edits undo")
    assert _texts(state) == [HEAD, STREAM]
    screen.click("edits redo")
    assert _texts(state) == [STREAM]
    press(screen, "Ctrl+Delete")
    assert not state.edits.entries


def test_what_is_no_edit_is_refused_and_stays_in_the_field(screen: Screen, state: State) -> None:
    _type(screen, "##new edit", "h.1.attn.out")
    assert screen.shows("no operator after h.1.attn.out")
    assert not state.edits.entries
    assert state.edit_menu.typed == "h.1.attn.out"


def test_a_slider_changes_strength_or_factor_live(screen: Screen, state: State) -> None:
    edit_list.add(state, HEAD)
    edit_list.add(state, "h.0.mlp.gelu *= 1")
    edit_list.add(state, "h.0.attn.scores[head=1] = -inf")
    screen.frame(3)
    assert "edit strength 2" not in screen.centers, "-inf has no strength"
    for label in ("edit strength 0", "edit strength 1"):
        screen.point(screen.centers[label])
        screen.io.add_mouse_button_event(0, True)
        screen.frame(2)
        screen.point(screen.centers[label] + ImVec2(30, 0))
        screen.io.add_mouse_button_event(0, False)
        screen.frame(2)
    strength = state.edits.entries[0].strength
    assert 0.5 < strength < 1
    factor = float(state.edits.entries[1].text.rpartition(" ")[2])
    assert 1 < factor < 2
    assert _texts(state)[:2] == [f"h.1.attn.out[head=4] *= {round(1 - strength, 3):g}", f"h.0.mlp.gelu *= {factor:g}"]
    press(screen, "Ctrl+Z")
    press(screen, "Ctrl+Z")
    assert _texts(state)[0] == HEAD, "each drag is one step of undo"


def test_off_and_solo_last_while_their_keys_are_held(screen: Screen, state: State) -> None:
    edit_list.add(state, HEAD)
    edit_list.add(state, STREAM)
    screen.frame(2)
    screen.click("edit 0")
    for key, held, texts in ((imgui.Key.u, OFF, []), (imgui.Key.i, SOLO, [HEAD])):
        screen.io.add_key_event(key, True)
        screen.frame(3)
        assert state.edits.held == held
        assert _texts(state) == texts
        screen.io.add_key_event(key, False)
        screen.frame(2)
        assert not state.edits.held
        assert _texts(state) == [HEAD, STREAM]
    screen.click("edits off")
    assert state.edits.held == OFF
    screen.click("edits off")
    assert not state.edits.held


def test_the_text_of_an_entry_is_changed_in_place(screen: Screen, state: State) -> None:
    entry = edit_list.add(state, HEAD)
    screen.frame(2)
    state.edit_menu.changing, state.edit_menu.text = entry.number, "h.1.attn.out[head=5] = 0"
    screen.frame(3)
    screen.press(imgui.Key.enter)
    screen.frame(2)
    assert _texts(state) == ["h.1.attn.out[head=5] = 0"]
    assert state.edit_menu.changing is None


def test_problems_and_effects_are_shown(screen: Screen, state: State) -> None:
    first, second = edit_list.add(state, HEAD), edit_list.add(state, STREAM)
    state.edits.problems[first.number] = "there is no head 4; h.1.attn.out has 2 heads"
    state.edits.effects[second.number] = "no effect: it has changed no value"
    screen.frame(2)
    assert screen.shows("there is no head 4")
    assert screen.shows("no effect: it has changed no value")


def test_the_menu_edits_a_selected_head(screen: Screen, state: State) -> None:
    state.selected = Selection(layer=1, head=3)
    press(screen, "Ctrl+E")
    screen.frame(4)
    screen.click("edit Scale")
    screen.frame(2)
    assert _texts(state) == ["h.1.attn.out[head=3] *= 0.5"]
    press(screen, "Delete")
    assert _texts(state)[-1] == "h.1.attn.out[head=3] = 0"


def test_the_menu_edits_another_part_and_patches_from_a_step(screen: Screen, state: State) -> None:
    state.selected = Selection(layer=1, head=3, position=2)
    press(screen, "Ctrl+E")
    screen.frame(4)
    screen.click("edit scope 2")  # the pattern of the head at the token
    screen.frame(2)
    screen.click("edit Knock out")
    assert _texts(state) == ["h.1.attn.scores[pos=2, head=3] = -inf"]
    press(screen, "Ctrl+E")
    screen.frame(4)
    screen.click("edit Patch")
    assert state.requests[-1] == PatchFrom("h.1.attn.out[pos=2, head=3]", 1, 4)


def test_the_list_is_saved_and_loaded_as_text(screen: Screen, state: State, tmp_path: Path) -> None:
    entry = edit_list.add(state, HEAD)
    edit_list.set_strength(state, entry.number, 0.5)
    edit_list.switch(state, edit_list.add(state, STREAM).number)
    state.edit_menu.path = str(tmp_path / "mine.edits")
    screen.frame(2)
    screen.click("edits list")
    screen.frame(3)
    screen.click("save edits")
    assert (tmp_path / "mine.edits").read_text().splitlines()[1:] == [f"strength 0.5 {HEAD}", f"off {STREAM}"]
    edit_list.clear(state)
    screen.frame(2)
    screen.click("load edits")
    assert [(e.text, e.on, e.strength) for e in state.edits.entries] == [(HEAD, True, 0.5), (STREAM, False, 1.0)]
    (tmp_path / "mine.edits").write_text(f"{HEAD}\nh.1.attn.out == 2\n")
    screen.click("load edits")
    assert screen.shows("line 2")
    assert len(state.edits.entries) == 2


def test_a_preset_is_saved_and_chosen(screen: Screen, state: State) -> None:
    edit_list.add(state, HEAD)
    screen.frame(2)
    screen.click("edits list")
    screen.frame(3)
    screen.click("##edit preset name")
    screen.io.add_input_characters_utf8("no copying")
    screen.frame(3)
    screen.click("save edit preset")
    assert state.ui.edit_presets == {"no copying": [HEAD]}
    screen.click("edits clear")
    assert not state.edits.entries
    screen.frame(2)
    screen.click("edit preset no copying")
    assert _texts(state) == [HEAD]
    screen.click("delete edit preset no copying")
    assert not state.ui.edit_presets
