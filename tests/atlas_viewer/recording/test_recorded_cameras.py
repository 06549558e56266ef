"""A recorded window's cameras and front view: recorded, read as untrusted, and followed."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas_viewer.recording.camera_follow import CameraFollower
from atlas_viewer.recording.cameras import recorded_camera, recorded_camera_track, recorded_viewport, viewport_data
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.records import UiEvent
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.ui_recorder import UiRecorder
from atlas_viewer.state.map_viewport import MapViewport
from atlas_viewer.state.navigation import ATLAS, MAP
from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.state import State
from compute.errors import RecordingError
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.map_layout import map_layout

from helpers.make_models import TINY
from helpers.make_recordings import HEAD, OPTIONS, PROMPT_TOKENS, TENSORS, draw, make_session, step, token_bytes
from helpers.map_registry import STORIES, registry

SIZE = (900, 500)
VIEWPORT = MapViewport(TensorIndex("h.2.attn.pattern", (1, 4, 3)), 0.5, 0.25, 72.0, 40.0)
REGISTRY = registry(STORIES, 256)


def state_with_map(context: int = 64) -> State:
    state = State("Once", GenerateOptions())
    state.map.size = SIZE
    state.map.lay_out(REGISTRY, map_layout(REGISTRY, context))
    return state


def test_cameras_and_views_are_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    state = State("Once", GenerateOptions())
    state.ui.view = ATLAS
    ui_recorder = UiRecorder(state, recorder)
    ui_recorder.frame(1.0)  # without a map
    state.map = state_with_map().map
    state.ui.view = MAP
    state.map.show(VIEWPORT)
    ui_recorder.frame(1.2)
    recorder.step(step(0), draw(0))
    state.map.fit()
    ui_recorder.frame(1.25)  # too soon
    state.map.go(TensorIndex("wte"))
    framed = state.map.viewport()
    state.ui.view = ATLAS
    ui_recorder.end()
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        cameras, events = recording.cameras(), recording.events()
    assert [camera.name for camera in cameras] == ["strip", "map", "map"]
    assert [camera.step for camera in cameras] == [0, 0, 1]
    assert [event.data["value"] for event in events if event.name == "view"] == ["strip", "map", "strip"]
    track = recorded_camera_track(cameras, events)
    assert track.map(cameras[0].time - 1e-9) is None
    for camera, viewport in ((cameras[1], VIEWPORT), (cameras[2], framed)):
        found = track.map(camera.time)
        assert found is not None
        assert found.target == viewport.target
        assert (found.x, found.y, found.width) == pytest.approx((viewport.x, viewport.y, viewport.width))
    assert track.view(cameras[1].time + 1) == "strip"
    assert track.strip(0.0).zoom == 1.0


def test_a_new_layout_and_a_new_size_are_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    state = state_with_map()
    ui_recorder = UiRecorder(state, recorder)
    state.map.show(VIEWPORT)
    for time in (1.0, 2.0):
        ui_recorder.frame(time)
    state.map.lay_out(REGISTRY, map_layout(REGISTRY, 256))
    ui_recorder.frame(3.0)
    state.map.size = (450, 500)
    ui_recorder.frame(4.0)
    recorder.close()
    with Recording(tmp_path / "a.atlas") as recording:
        data = [camera.data for camera in recording.cameras() if camera.name == "map"]
    assert [values["index"] for values in data] == [[1, 4, 3]] * 3, "the value is the same in every layout"
    assert data[1]["width"] == pytest.approx(data[0]["width"])


DATA = viewport_data(VIEWPORT)


@pytest.mark.parametrize(
    "change",
    [
        {"x": math.nan}, {"y": math.inf}, {"x": -1e300}, {"x": "3"}, {"x": None}, {"width": 0}, {"height": -5},
        {"width": 5e-324}, {"width": math.inf}, {"height": 1e300}, {"height": math.nan}, {"tensor": 7},
        {"tensor": None}, {"tensor": ["wte"]}, {"index": []}, {"index": [1, 2, 3, 4]}, {"index": [-1, 0, 0]},
        {"index": [1.5, 0, 0]}, {"index": [True, 0, 0]}, {"index": [10**400, 0, 0]}, {"index": "120"},
        {"index": {"0": 1}}, {"index": None}, {"x": 10**400}, {"y": [1]},
    ],
)  # fmt: skip
def test_an_impossible_viewport_is_ignored(tmp_path: Path, change: dict[str, object]) -> None:
    sound = UiEvent(1.0, 1, 0, "map", DATA)
    bad = UiEvent(2.0, 1, 0, "map", {**DATA, **change})
    assert recorded_viewport([bad])(3.0) is None
    assert recorded_viewport([sound, bad])(3.0) == VIEWPORT
    # The same viewport in a file, unless a number is not valid JSON.
    path = make_session(tmp_path / "a.atlas", steps=2)
    connection = sqlite3.connect(path)
    text = json.dumps({**DATA, **change})
    connection.execute("INSERT INTO cameras VALUES (NULL, 2.0, 1, 1, 'map', ?)", (text,))
    connection.commit()
    connection.close()
    (value,) = change.values()
    numbers = value if isinstance(value, list) else [value]
    with Recording(path) as recording:
        if any(isinstance(part, int | float) and not abs(part) <= sys.float_info.max for part in numbers):
            with pytest.raises(RecordingError, match="cameras, id 3, json: is not usable JSON"):
                recording.cameras()
        else:
            assert len(recording.cameras()) == 3
            assert recorded_viewport(recording.cameras())(3.0) is None


@pytest.mark.parametrize("missing", sorted(DATA))
def test_an_incomplete_viewport_is_ignored(missing: str) -> None:
    data = {name: value for name, value in DATA.items() if name != missing}
    assert recorded_viewport([UiEvent(1.0, 1, 0, "map", data)])(3.0) is None


@pytest.mark.parametrize(
    "change",
    [{"x": 9e5, "y": -9e5}, {"width": 1e-3, "height": 1e-3}, {"width": 9e8}, {"index": [10**8, 10**8, 10**8]}],
)
def test_a_viewport_outside_the_map_is_clamped(change: dict[str, object]) -> None:
    viewport = recorded_viewport([UiEvent(1.0, 1, 0, "map", {**DATA, **change})])(3.0)
    assert viewport is not None
    maps = state_with_map().map
    maps.show(viewport)
    pose = maps.camera.pose
    assert maps.layout is not None
    assert 0 <= pose.x <= maps.layout.width
    assert 0 <= pose.y <= maps.layout.height
    assert 1 <= pose.zoom <= maps.camera.zoom_most(*SIZE)


def test_impossible_times_and_views_are_ignored() -> None:
    cameras = [
        UiEvent(math.nan, 1, 0, "strip", {"zoom": 8, "x": 1, "y": 1}),
        UiEvent(1.0, 1, 0, "strip", {"zoom": 4, "x": 1}),
    ]
    assert recorded_camera(cameras)(5.0).zoom == 1.0
    assert recorded_camera(cameras, 2.0, (100, 90))(5.0).zoom == 2.0
    events = [
        UiEvent(float(time), 1, 0, "view", {"value": value}) for time, value in enumerate(["map", "Map", 3, ["map"]])
    ]
    assert recorded_camera_track([], events).view(9.0) == "map"


def test_a_recovered_recording_keeps_its_cameras(tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.atlas", steps=2)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO cameras VALUES (NULL, 2.0, 1, 1, 'map', ?)", (json.dumps(DATA),))
    connection.execute("UPDATE logits SET data = x'00' WHERE step = 1")
    connection.commit()
    connection.close()
    recover(path, tmp_path / "b.atlas")
    with Recording(tmp_path / "b.atlas") as recording:
        assert recorded_viewport(recording.cameras())(3.0) == VIEWPORT


# -- following

CAMERAS = [
    UiEvent(1.0, 1, 0, "strip", {"zoom": 4.0, "x": 200.0, "y": 90.0}),
    UiEvent(2.0, 1, 1, "map", DATA),
    UiEvent(3.0, 1, 2, "map", {**DATA, "tensor": "wte", "index": [900, 7]}),
]
EVENTS = [UiEvent(1.0, 1, 0, "view", {"value": "strip"}), UiEvent(2.0, 1, 1, "view", {"value": "map"})]


class Window:
    """Does what the panels would do: a requested tab comes to the front two frames later."""

    def __init__(self, cameras: list[UiEvent], events: list[UiEvent]) -> None:
        self.state, self.playback = state_with_map(), PlaybackState("a.atlas", "made up")
        self.state.ui.shown = {ATLAS, "Session"}
        self.follower = CameraFollower(self.state, self.playback)
        self.follower.take(cameras, events)
        self.selected = ""

    def frame(self, time: float, count: int = 1) -> None:
        ui = self.state.ui
        for _ in range(count):
            self.follower.frame(time)
            if self.selected:
                ui.shown = {self.selected, "Session"}
            self.selected, ui.raised = ui.raised, ""

    @property
    def target(self) -> TensorIndex:
        return self.state.map.viewport().target


def test_map_is_followed_and_brought_to_the_front() -> None:
    window = Window(CAMERAS, EVENTS)
    ui = window.state.ui
    pose = window.state.map.camera.pose
    window.frame(1.5, 5)
    assert (window.state.camera.zoom, window.state.map.camera.pose) == (4.0, pose)
    assert ATLAS in ui.shown
    window.frame(2.5, 5)
    assert (window.target, ui.view) == (VIEWPORT.target, MAP)
    assert MAP in ui.shown
    window.frame(3.5)
    assert window.target == TensorIndex("wte", (900, 7))
    window.frame(1.5, 5)
    assert (ui.shown, ui.view) == ({ATLAS, "Session"}, ATLAS)
    assert window.playback.camera


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_scrubbing_back_and_forth_does_not_end_following(frames: int) -> None:
    window = Window(CAMERAS, EVENTS)
    for time in (2.5, 1.5, 2.5, 1.5, 3.5, 1.5):
        window.frame(time, frames)
    window.frame(1.5, 5)
    assert window.playback.camera
    assert ATLAS in window.state.ui.shown


def test_a_new_layout_does_not_end_following() -> None:
    window = Window(CAMERAS, EVENTS)
    window.frame(2.5)
    window.state.map.lay_out(REGISTRY, map_layout(REGISTRY, 256))
    window.frame(2.5)
    assert window.playback.camera
    assert window.target == VIEWPORT.target
    other = registry(TINY, 9)  # a model without such a tensor keeps its camera
    window.state.map.lay_out(other, map_layout(other, 9))
    pose = window.state.map.camera.pose
    window.frame(2.5)
    assert window.state.map.camera.pose == pose
    assert window.playback.camera


def by_wheel(state: State) -> None:
    state.map.zoom_by(-200)


def by_hand(state: State) -> None:
    state.camera.look_at(2.0, 300, 100)


def by_tab(state: State) -> None:
    state.ui.shown = {ATLAS, "Session"}


@pytest.mark.parametrize("move", [by_wheel, by_hand, by_tab])
def test_a_user_who_moves_a_camera_keeps_it(move: Callable[[State], None]) -> None:
    window = Window(CAMERAS, EVENTS)
    window.frame(2.5, 6)
    move(window.state)
    before = window.state.map.camera.pose, window.state.camera.view, set(window.state.ui.shown)
    for time in (2.5, 3.5, 1.5):
        window.frame(time)
        assert (window.state.map.camera.pose, window.state.camera.view, window.state.ui.shown) == before
    assert not window.playback.camera
    window.playback.camera = True  # the user turns following on again
    window.frame(3.5, 6)
    assert window.target == TensorIndex("wte", (900, 7))
    assert MAP in window.state.ui.shown
    assert window.playback.camera


def test_an_older_recording_leaves_map_to_the_user() -> None:
    window = Window(CAMERAS[:1], [])
    window.state.ui.shown = {MAP}
    window.frame(1.5)
    window.state.map.zoom_by(500)
    pose = window.state.map.camera.pose
    window.frame(2.5)
    assert (window.state.map.camera.pose, window.state.ui.shown) == (pose, {MAP})
    assert window.playback.camera, "Strip is still followed"
    assert window.state.camera.zoom == 4.0


def test_a_recording_without_a_camera_is_not_followed() -> None:
    window = Window([], EVENTS)
    window.frame(2.5)
    assert not window.playback.camera
    assert ATLAS in window.state.ui.shown
