"""Panels as functions of the state: imgui runs without a GPU and gets synthetic mouse and keyboard events."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.pace import BINS, TimeGraph
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.requests import Generate, Stop, Use
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State, end_of_text_rank
from atlas_viewer.ui import folders, panels
from atlas_viewer.ui.panels.output import flow
from atlas_viewer.ui.panels.widgets import elided, quoted
from compute.generate.steps import Candidate, StepRecord
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step
from helpers.screen import Screen, context

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter with a rather long name", 12 << 20)


@pytest.fixture
def state() -> State:
    options = GenerateOptions(max_new_tokens=16, temperature=0.8)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(5)])
    run.continuation = "".join(step.text for step in run.steps)
    return State("Once upon a", options, model=MODEL, run=run)


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch)


def test_generate_and_stop_leave_requests(screen: Screen, state: State) -> None:
    screen.click("Generate")
    assert list(state.requests) == [Generate("Once upon a", state.options)]
    state.requests.clear()
    screen.click("Stop")
    assert list(state.requests) == [Stop()]


def test_generate_waits_for_the_model_and_stop_for_a_run(screen: Screen, state: State) -> None:
    state.model, state.run = None, None
    screen.click("Generate")
    screen.click("Stop")
    assert not state.requests


def test_a_chip_chooses_its_step_and_use_copies_the_text(screen: Screen, state: State) -> None:
    assert state.step is not None
    assert state.step.index == 4  # the newest until another is chosen
    screen.click("chip1")
    assert state.chosen == 1
    screen.frame(3)
    assert screen.shows("token 1000")
    screen.click("use")
    assert list(state.requests) == [Use(1)]
    screen.click("follow")
    assert state.chosen is None


def test_a_press_chooses_the_chip_under_the_mouse_while_chips_move(screen: Screen, state: State) -> None:
    assert state.run is not None
    screen.point(screen.centers["chip1"])
    screen.io.add_mouse_button_event(0, True)
    screen.frame()
    state.run.steps = [fake_step(i) for i in range(300)]
    screen.frame(3)
    screen.io.add_mouse_button_event(0, False)
    screen.frame()
    assert state.chosen == 1


def test_the_tooltip_of_a_chip_shows_id_logit_and_probability(screen: Screen) -> None:
    screen.point(screen.centers["chip2"])
    screen.frame(8)
    assert screen.shows("token 2000")
    assert screen.shows("raw logit 9.5000, rank 1\nsampling probability 50.000 %, model probability 40.000 %")
    assert screen.shows(' 20.000 %  " Lily"')  # a candidate


def test_status_shows_model_and_run(screen: Screen, state: State) -> None:
    facts = (
        "8 layers, 6 heads, 192 channels",
        "13,306,944",
        "fake, bf16",
        "5 of 16 tokens",
        "sampling, T 0.80, seed 0",
        MODEL.adapter,
    )
    for fact in facts:
        assert screen.shows(fact), fact
    assert not screen.shows("End of text")
    step = fake_step(5)
    ending = Candidate(50256, "<|endoftext|>", 1.0, 0.0, 0.1, 0.0421)
    state.run.steps = [StepRecord(**{**vars(step), "top": (step.top[0], ending)})]  # type: ignore[union-attr]
    screen.frame()
    assert screen.shows("End of text")
    assert screen.shows("rank 2, 4.210 %")
    assert end_of_text_rank(step) is None


def test_status_has_graphs_of_recent_times(screen: Screen, state: State) -> None:
    assert not screen.shows("Frame, ms")
    graph = TimeGraph((0.0,) * (BINS - 2) + (0.5, 1.0), 20.25, 400.0, 81.0)
    state.pace.frames = graph
    screen.frame()
    assert screen.shows("Frame, ms")
    assert screen.shows("median 20.2, slowest 400")
    assert not screen.shows("Token, ms")
    state.pace.frames, state.pace.tokens = None, graph
    screen.frame()
    assert screen.shows("Token, ms")
    state.live = False  # pictures show nothing that varies between launches
    screen.frame()
    assert not screen.shows("Token, ms")


def test_messages_are_shown_until_dismissed(screen: Screen, state: State) -> None:
    assert not screen.shows("went wrong")
    usual = screen.centers
    state.messages.append("something went wrong: try again")
    screen.frame(3)
    assert screen.shows("something went wrong: try again")
    moved = {
        label
        for label, point in usual.items()
        if (point.x, point.y) != (screen.centers[label].x, screen.centers[label].y)
    }
    assert not moved, "a widget about to be clicked must stay where it is"
    screen.click("Dismiss")
    assert not state.messages


def test_the_path_of_a_saved_picture_is_shown_copied_and_opened(
    screen: Screen, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(folders, "problem", lambda: "")
    monkeypatch.setattr(folders, "open_folder", opened.append)
    for button, shown in (("Copy path", 0), ("Open folder", 1), ("Dismiss", 1)):
        state.ui.saved, state.ui.saved_at = "/pictures/atlas-viewer-2026-11-28-1.png", time.monotonic()
        screen.frame(3)
        assert screen.shows("Saved /pictures/atlas-viewer-2026-11-28-1.png")
        screen.click(f"{button}##saved")
        assert (state.ui.saved, len(opened)) == ("", shown)
    assert imgui.get_clipboard_text() == "/pictures/atlas-viewer-2026-11-28-1.png"
    assert opened == [Path("/pictures")]
    state.ui.saved, state.ui.saved_at = "/pictures/a.png", time.monotonic() - 60
    screen.frame()
    assert state.ui.saved == "", "it disappears after a while"


def test_wheel_drag_and_double_click_move_the_camera(screen: Screen, state: State) -> None:
    point = screen.centers["picture"]
    screen.point(point)
    screen.io.add_mouse_wheel_event(0, 10)
    screen.frame()
    assert state.camera.zoom == pytest.approx(4)
    x, y = state.camera.center
    screen.io.add_mouse_button_event(0, True)
    screen.frame()
    screen.io.add_mouse_pos_event(point.x - 40, point.y - 20)
    screen.frame()
    screen.io.add_mouse_button_event(0, False)
    screen.frame()
    assert state.camera.center[0] > x
    assert state.camera.center[1] > y
    screen.frame(5)
    screen.io.delta_time = 0.01
    for down in (True, False, True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.io.delta_time = 0.01
        imgui.new_frame()
        panels.draw_all(state, screen.services)
        imgui.render()
    assert state.camera.zoom == 1


def test_the_picture_has_the_proportions_of_strip(screen: Screen, state: State) -> None:
    screen.frame()
    width, height = state.ui.picture_sizes["Atlas"]
    assert width > 500
    assert height == round(width * 9 / 16)


def test_a_larger_window_gives_strip_more_space(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, widths = Screen(state, monkeypatch), []
    for size in ((800, 600), (1280, 720), (2560, 1440)):
        screen.io.display_size = ImVec2(*size)
        screen.frame(3)
        widths.append(state.ui.picture_sizes["Atlas"][0])
    narrow, usual, wide = widths
    assert narrow < usual < wide


def test_flow_wraps_every_character_once(context: None) -> None:
    imgui.get_io().delta_time = 0.1
    imgui.new_frame()
    prompt, continuation = "Once upon\na time ", "there" + "x" * 200 + "  was a fox\n\nend"
    pieces = flow(prompt, continuation, 180, 15.0)
    imgui.render()
    assert "".join(piece.text for piece in pieces if not piece.bright) == prompt.replace("\n", "")
    assert "".join(piece.text for piece in pieces if piece.bright) == continuation.replace("\n", "")
    assert pieces[-1].line >= 8
    assert all(piece.x < 180 for piece in pieces)


@pytest.mark.parametrize("width", [-20, 0, 1, 9])
def test_flow_ends_in_a_panel_without_space(context: None, width: int) -> None:
    imgui.new_frame()
    pieces = flow("a  bc", "\n" + "d" * 30, width, 15.0)
    imgui.render()
    assert "".join(piece.text for piece in pieces) == "a  bc" + "d" * 30


def test_quoted_is_one_line() -> None:
    assert quoted(' a"\n\tb') == '" a\\"\\n\\tb"'


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1, "100.000 %"),
        (0.37272, " 37.272 %"),
        (1e-4, "  0.010 %"),
        (4.66e-5, "4.7e-03 %"),
        (1.2e-7, "1.2e-05 %"),
        (0, "      0 %"),
    ],
)
def test_a_small_probability_differs_from_zero(share: float, text: str) -> None:
    assert percent(share) == text


def test_elided_fits(context: None) -> None:
    imgui.get_io().delta_time = 0.1
    imgui.new_frame()
    short = elided("a rather long line of text", 80)
    assert short.endswith("...")
    assert imgui.calc_text_size(short).x <= 80
    assert elided("short", 200) == "short"
    imgui.render()
