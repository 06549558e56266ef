"""The dialog Save tensor without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from imgui_bundle import imgui

from atlas_viewer.state.requests import SaveTensors, StopSaving
from atlas_viewer.state.state import State
from atlas_viewer.ui import file_dialogs
from compute.io.array_files import ArraySpec
from compute.models.tensor_index import TensorIndex

from helpers.fake_generation import paused_state
from helpers.screen import Screen, context, press

__all__ = ["context"]

SELECTED = [ArraySpec("h.3.ln_1", np.dtype(np.float32), (8, 192))]


@pytest.fixture
def state() -> State:
    made = paused_state()
    made.save.possible = True
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    # No desktop: the path is typed.
    monkeypatch.setattr(file_dialogs, "problem", lambda: "No file dialogs: there is no desktop. Type the path.")
    return Screen(state, monkeypatch)


def test_the_menu_opens_it_with_the_inspected_tensor(screen: Screen, state: State) -> None:
    state.inspection.point_at(TensorIndex("h.3.ln_1", (0, 0)))
    screen.click("File##menu")
    screen.frame(2)
    screen.click("tensors.save")
    screen.frame(3)
    assert (state.ui.dialog, state.save.names) == ("save", "h.3.ln_1")
    press(screen, "Ctrl+S")
    assert state.ui.dialog == ""


def test_it_is_disabled_without_values(screen: Screen, state: State) -> None:
    state.save.possible = False
    press(screen, "Ctrl+S")
    assert state.ui.dialog == ""


def test_save_asks_for_what_is_typed(screen: Screen, state: State) -> None:
    state.save.path = "typed.npy"
    press(screen, "Ctrl+S")
    screen.frame(3)
    screen.click("Save##tensors")
    assert not state.requests, "nothing is selected"
    screen.click("##save names")
    screen.io.add_input_characters_utf8("h.3.ln_1")
    screen.frame(2)
    assert state.save.names == "h.3.ln_1"
    state.save.selected, state.save.of_pass = SELECTED, True
    screen.frame(2)
    assert screen.shows("h.3.ln_1 [8, 192], 6.1 kB")
    assert screen.shows("from step 5 of run 1, fake")
    screen.click("##save scheme")
    screen.frame(2)
    screen.click("save transformerlens")
    screen.frame(2)
    screen.click("Save##tensors")
    assert list(state.requests) == [SaveTensors("h.3.ln_1", "typed.npy", "transformerlens")]
    state.requests.clear()
    screen.click("##save names")
    screen.press(imgui.Key.enter)
    assert list(state.requests) == [SaveTensors("h.3.ln_1", "typed.npy", "transformerlens")]
    screen.point(screen.centers["browse tensors file"])
    screen.frame(5)
    assert screen.shows("No file dialogs")


def test_progress_can_be_stopped_and_the_outcome_is_shown(screen: Screen, state: State) -> None:
    press(screen, "Ctrl+S")
    state.save.stage, state.save.done, state.save.total = "saving", 10, 40
    screen.frame(3)
    assert "Save##tensors" not in screen.centers
    screen.click("Stop##save")
    assert list(state.requests) == [StopSaving()]
    state.save.stage, state.save.note = "", "saved 40 bytes from fake to /a/b.npy"
    screen.frame(2)
    assert screen.shows("to /a/b.npy")
    state.save.trouble = "/a/b.npy: cannot be written"
    screen.frame(2)
    assert screen.shows("cannot be written")


def test_an_unknown_name_does_not_move_the_rows_below(screen: Screen, state: State) -> None:
    press(screen, "Ctrl+S")
    screen.frame(3)
    before = screen.centers["##save path"].y
    state.save.unknown = "h.3.attn.patern: no tensor has this name; the nearest are " + ", ".join(
        ["h.3.attn.pattern"] * 3
    )
    screen.frame(2)
    assert screen.shows("the nearest are")
    assert screen.centers["##save path"].y == before
