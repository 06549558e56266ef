"""The Recording panel on a screen without a GPU: recording, the video, and the timeline."""

from __future__ import annotations

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.requests import BackToRecording, EndRecording, EndVideo, Record, RecordVideo
from atlas_viewer.state.state import State

from helpers.fake_generation import paused_state
from helpers.screen import Screen, context

__all__ = ["context"]


@pytest.fixture
def state() -> State:
    made = paused_state()
    made.ui.front = "Session"
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    imgui.get_io().display_size = ImVec2(1280, 720)
    return Screen(state, monkeypatch)


def played(state: State) -> PlaybackState:
    playback = PlaybackState("a.atlas", "fake", run=1, runs=2, count=8, position=8, time=3.5, length=3.5)
    state.recording.playback = playback
    return playback


def test_a_button_and_a_key_record_with_the_chosen_options(screen: Screen, state: State) -> None:
    screen.click("##session logits")
    screen.frame(3)
    screen.click("logits f32")
    screen.click("session statistics")
    screen.click("Record##session")
    assert list(state.requests) == [Record("session.atlas", "f32", statistics=False)]
    state.requests.clear()
    screen.press(imgui.Key.r, ctrl=True)
    assert list(state.requests) == [Record("session.atlas", "f32", statistics=False)]


def test_a_recording_shows_its_progress_and_can_be_stopped(screen: Screen, state: State) -> None:
    recorder = state.recording.recorder
    recorder.stage, recorder.steps, recorder.waiting = "recording", 42, 9
    screen.frame(2)
    assert screen.shows("42 steps written, 9 waiting")
    screen.click("##session logits")  # cannot be changed while recording
    assert "logits f32" not in screen.centers
    screen.click("Stop recording##session")
    assert list(state.requests) == [EndRecording()]
    recorder.trouble = "a.atlas: nothing is recorded any more: the disk is full"
    screen.frame(2)
    assert screen.shows("the disk is full")
    recorder.stage = "finishing"
    state.requests.clear()
    screen.frame(2)
    screen.click("Stop recording##session")
    assert not state.requests


def test_the_file_is_named_before_recording(screen: Screen, state: State) -> None:
    screen.click("##session file")
    screen.press(imgui.Key.a, ctrl=True)
    screen.io.add_input_characters_utf8("mine.atlas")
    screen.frame(3)
    screen.click("Record##session")
    assert list(state.requests) == [Record("mine.atlas")]


def test_a_video_shows_dropped_frames(screen: Screen, state: State) -> None:
    screen.click("Record the window##video")
    assert list(state.requests) == [RecordVideo("window.mp4")]
    state.requests.clear()
    video = state.recording.video
    video.stage, video.frames, video.dropped = "recording", 120, 7
    screen.frame(2)
    assert screen.shows("120 frames, 7 dropped")
    screen.click("Stop the video##video")
    assert list(state.requests) == [EndVideo()]


def test_nothing_is_recorded_without_a_model(screen: Screen, state: State) -> None:
    state.model = None
    screen.frame(2)
    screen.click("Record##session")
    screen.press(imgui.Key.r, ctrl=True)
    assert not state.requests


def test_the_timeline_plays_steps_and_scrubs(screen: Screen, state: State) -> None:
    playback = played(state)
    screen.frame(3)
    assert screen.shows("3.5 of 3.5 s, run 1 of 2")
    screen.click("Play recording##playback")
    assert (playback.playing, playback.seek) == (True, 1)  # from the start, because it was at its end
    screen.frame()
    screen.click("Hold recording##playback")
    assert not playback.playing
    playback.position = 5
    screen.click("##step back")
    assert playback.seek == 4
    screen.click("##step on")
    assert playback.seek == 6
    screen.click("##timeline")
    assert playback.seek in (4, 5)
    screen.click("##speed")
    screen.frame(3)
    screen.click("4x##speed 4")
    assert playback.speed == 4
    screen.click("Follow live##follow")
    screen.click("Camera##camera")
    assert (playback.follow, playback.camera) == (True, False)


def test_keys_play_and_step(screen: Screen, state: State) -> None:
    playback = played(state)
    playback.position = 5
    imgui.set_window_focus(None)
    chords = ((imgui.Key.mod_alt, imgui.Key.comma), (imgui.Key.mod_shift, imgui.Key.space))
    for modifier, key in chords:
        screen.io.add_key_event(modifier, True)
        screen.press(key)
        screen.io.add_key_event(modifier, False)
        screen.frame()
    assert (playback.playing, playback.seek) == (True, 4)


def test_a_notice_leads_back_to_the_recording(screen: Screen, state: State) -> None:
    playback = played(state)
    playback.left, playback.notice = True, "its model is missing"
    screen.frame(3)
    assert screen.shows("its model is missing")
    assert "##timeline" not in screen.centers
    screen.click("Back to the recording")
    assert list(state.requests) == [BackToRecording()]


def test_a_view_comes_to_the_front_while_the_timeline_is_dragged(screen: Screen, state: State) -> None:
    playback = played(state)
    screen.frame(3)
    point = screen.centers["##timeline"]
    screen.point(point)
    screen.io.add_mouse_button_event(0, True)
    screen.frame(2)
    for title, other in (("Map", "Atlas"), ("Atlas", "Map"), ("Map", "Atlas")):
        state.ui.raised = title
        screen.frame(3)
        assert title in state.ui.shown
        assert other not in state.ui.shown
        assert state.ui.view == title
        playback.seek = None
        point.x += 9
        screen.point(point)
        assert playback.seek is not None, "the slider was released"
    screen.io.add_mouse_button_event(0, False)
    screen.frame()


def test_a_view_comes_to_the_front_from_behind_the_focused_one(screen: Screen, state: State) -> None:
    for title in ("Map", "Atlas", "Map"):
        state.ui.raised = title
        screen.frame(3)
        assert title in state.ui.shown
        screen.io.add_mouse_pos_event(640, 300)
        for down in (True, False):  # a click into it
            screen.io.add_mouse_button_event(0, down)
            screen.frame()
    state.ui.hidden.add("Atlas")
    screen.frame(2)
    state.ui.raised = "Atlas"
    screen.frame(3)
    assert "Atlas" in state.ui.shown, "a closed view was not opened"
