"""The timeline bar and the signs in the menu bar, with mouse and keyboard, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.recording_state import PlaybackState, Question
from atlas_viewer.state.requests import CloseRecording, Continue, OpenRecording
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import activity

from helpers.fake_generation import fake_step, paused_state
from helpers.screen import Screen, context, press

__all__ = ["context"]


@pytest.fixture
def state() -> State:
    return paused_state()


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch)


def played(state: State) -> PlaybackState:
    playback = PlaybackState("/somewhere/a.atlas", "stories", count=10, position=10, runs=1, run=1)
    state.recording.playback, state.recording.live = playback, "stories"
    assert state.run is not None
    state.run.known = [fake_step(index) for index in range(10)]
    state.run.steps = state.run.known
    return playback


def along(share: float) -> ImVec2:
    """A position on the track."""
    track = widget_tracking.rects["timeline track"]
    return ImVec2(track.left + share * (track.right - track.left), track.center[1])


def test_a_click_on_the_live_track_selects_the_step_and_its_tooltip_names_the_token(
    screen: Screen, state: State
) -> None:
    run = state.run
    assert run is not None
    screen.point(along(1.5 / run.options.max_new_tokens))
    assert screen.shows("Step 2 of")
    assert screen.shows(run.steps[1].text.strip())
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()
    assert state.chosen == 1


def test_dragging_scrubs_through_a_recording(screen: Screen, state: State) -> None:
    playback = played(state)
    screen.frame(3)
    screen.point(along(0.25))
    screen.io.add_mouse_button_event(0, True)
    screen.frame(2)
    assert playback.seek == 3
    screen.point(along(0.75))
    assert playback.seek == 8
    screen.io.add_mouse_pos_event(9999, 9999)
    screen.frame(2)
    assert playback.seek == 10, "the drag goes on outside the track"
    screen.io.add_mouse_button_event(0, False)
    screen.frame(2)


def test_keys_move_through_a_recording(screen: Screen, state: State) -> None:
    playback = played(state)
    imgui.set_window_focus(None)
    screen.frame(2)
    press(screen, "Home")
    assert playback.seek == 1
    playback.position = 4
    press(screen, "End")
    assert playback.seek == 10
    press(screen, "Space")
    assert playback.playing
    assert not state.requests, "Space generates nothing while a recording is played"
    press(screen, "Shift+T")
    screen.frame(2)
    screen.press(imgui.Key.left_arrow)
    assert (playback.seek, playback.playing) == (3, False)
    screen.press(imgui.Key.right_arrow)
    assert playback.seek == 5


def test_its_buttons_play_set_the_speed_and_lead_back(screen: Screen, state: State) -> None:
    playback = played(state)
    screen.frame(3)
    screen.click("timeline play")
    assert playback.playing
    screen.click("##timeline speed")
    screen.frame(3)
    screen.click("timeline speed 4")
    assert playback.speed == 4
    screen.click("timeline live")
    assert list(state.requests) == [CloseRecording()]


def test_its_button_resumes_a_live_run(screen: Screen, state: State) -> None:
    screen.click("timeline play")
    assert list(state.requests) == [Continue()]


def test_it_can_be_hidden(screen: Screen, state: State) -> None:
    height = imgui.get_main_viewport().work_size.y
    state.ui.timeline = False
    screen.frame(3)
    assert "timeline track" not in screen.centers
    assert imgui.get_main_viewport().work_size.y > height


def test_signs_show_the_recording_and_the_video_and_lead_to_the_panel(screen: Screen, state: State) -> None:
    recorder, video = state.recording.recorder, state.recording.video
    assert "sign recording" not in screen.centers
    recorder.stage, recorder.steps, recorder.path = "recording", 1, "/a/session-1.atlas"
    video.stage, video.frames, video.path = "recording", 2, "window.mp4"
    assert [sign.parts for sign in activity.signs(state.recording)] == [
        ("Recording", "1 step written", "session-1.atlas"),
        ("Video", "2 frames", "window.mp4"),
    ]
    screen.frame(3)
    assert widget_tracking.rects["sign video"].right <= imgui.get_main_viewport().size.x
    assert "Session" not in state.ui.shown
    screen.click("sign recording")
    screen.frame(3)
    assert "Session" in state.ui.shown


def test_signs_lose_their_last_parts_where_space_is_short() -> None:
    signs = [activity.Sign("a", ("1", "2", "3"), ""), activity.Sign("b", ("1", "2"), "")]
    widths = [[50.0, 100.0, 200.0], [40.0, 80.0]]
    assert activity.fitted(signs, widths, 300) == [3, 2]
    assert activity.fitted(signs, widths, 200) == [2, 2]
    assert activity.fitted(signs, widths, 130) == [1, 2]
    assert activity.fitted(signs, widths, 10) == [1, 1]


def test_a_recent_recording_opens_from_the_menu_and_a_missing_one_does_not(
    screen: Screen, state: State, tmp_path: Path
) -> None:
    (tmp_path / "here.atlas").touch()
    state.ui.recent = [str(tmp_path / "gone.atlas"), str(tmp_path / "here.atlas")]
    screen.click("File##menu")
    screen.frame(2)
    screen.click("recent recordings")
    screen.frame(2)
    screen.click("recent 0")
    assert not state.requests
    screen.click("recent 1")
    assert list(state.requests) == [OpenRecording(str(tmp_path / "here.atlas"))]


def test_runs_are_discarded_only_by_the_button_that_says_so(screen: Screen, state: State) -> None:
    for button, requests in (("keep runs", []), ("discard runs", [CloseRecording(discard=True)])):
        state.recording.question = Question("1 run has steps.", "Return", CloseRecording(discard=True))
        state.ui.dialog = "discard"
        screen.frame(4)
        screen.click(button)
        screen.frame(2)
        assert (list(state.requests), state.ui.dialog) == (requests, "")
