"""The window plays a recording: with its model, without it, with another one, and while it is still written."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.open_recording import open_player
from atlas_viewer.app.recorded_model_loading import loading_recorded_model
from atlas_viewer.export.frames import MapTrack, RunPictures
from atlas_viewer.export.render import MapStart
from atlas_viewer.recording.cameras import recorded_camera, recorded_viewport, viewport_data
from atlas_viewer.recording.playback import RecordedRun
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import Recorder, open_recorder
from atlas_viewer.recording.records import UiEvent
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.map_viewport import MapViewport
from atlas_viewer.state.requests import BackToRecording, Continue, ShowRun
from atlas_viewer.state.state import State
from atlas_viewer.ui.panels import NAMES
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.models.architectures import parameter_shapes
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.statistics_table import STATISTICS
from compute.weights.checkpoint import ArrayModel, open_model

from helpers.make_recordings import HEAD, PROMPT_TOKENS, TENSORS, StepCapture, draw, make_session, step, token_bytes
from helpers.make_recordings import OPTIONS as MADE_UP
from helpers.patience import wait_until
from helpers.recording_loop import OPTIONS, Loop

pytestmark = pytest.mark.gpu

VIEWPORT = MapViewport(TensorIndex("h.3.mlp.c_fc.weight", (100, 50)), 0.5, 0.5, 64.0, 36.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, runner: ModelRunner) -> Path:
    """A run of the real model whose cameras move at the third step; the map is in front at the fifth."""
    path = tmp_path_factory.mktemp("recording") / "r.atlas"
    recorder = open_recorder(path, runner.engine, runner.tokenizer, runner.weights_sha256())

    class Order:
        logits = statistics = True

        def begun(self, prompt_tokens: list[int], *_: object) -> None:
            recorder.begin_run("Once upon a time", prompt_tokens, OPTIONS)
            recorder.camera("strip", {"zoom": 1.0, "x": 320.0, "y": 180.0})
            recorder.event("view", {"value": "strip"})

        def step(self, record: object, *more: object) -> None:
            if record.index == 3:  # type: ignore[attr-defined]
                recorder.camera("strip", {"zoom": 4.0, "x": 200.0, "y": 90.0})
                recorder.camera("map", viewport_data(VIEWPORT))
                recorder.event("chosen", {"value": 2})
            if record.index == 4:  # type: ignore[attr-defined]
                recorder.event("view", {"value": "map"})
            recorder.step(record, *more)  # type: ignore[arg-type]

    runner.set_step_listener(Order())  # type: ignore[arg-type]
    runner.start("Once upon a time", OPTIONS).run()
    runner.set_step_listener(None)
    recorder.end_run("length")
    recorder.close()
    return path


class Replay(Loop):
    def __init__(self, path: Path) -> None:
        self.recording = Recording(path)
        state = State("", GenerateOptions())
        viewer, self.player = open_player(open_picture((960, 540)), shared_device(), state, self.recording, None)
        super().__init__(viewer)
        self.playback = self.player.playback
        self.draw(lambda: self.playback.position)

    def close(self) -> None:
        self.viewer.canvas.close()
        self.recording.close()


@pytest.fixture
def replay(recording: Path) -> Iterator[Replay]:
    opened = Replay(recording)
    yield opened
    opened.close()


def test_without_a_model_everything_recorded_is_shown(replay: Replay) -> None:
    state, playback = replay.state, replay.playback
    replay.draw(lambda: state.distribution is not None and state.inspection.statistics)
    assert state.model is not None
    assert (state.model.name, playback.count, playback.position) == ("stories", 6, 6)
    assert state.run is not None
    logits = replay.recording.logits(replay.recording.run(), 5)
    assert state.distribution is not None
    assert logits is not None
    np.testing.assert_array_equal(state.distribution.logits, logits.astype(np.float32))
    assert state.inspection.statistics["h.0.ln_1"].count > 0
    assert state.inspection.statistics["wte"].finite > 0
    for title in ("Atlas", "Map"):
        state.ui.front = title
        replay.draw(partial(lambda wanted: wanted in state.ui.picture_sizes, title))
    assert replay.viewer._displays.pictures == (None, None)  # there is nothing to paint
    replay.draw(lambda: "model is missing" in state.map.problem)
    replay.ask(Continue(2))
    assert "model is missing" in state.messages[-1]
    assert not playback.left


def test_the_timeline_moves_text_chips_logits_and_camera(replay: Replay) -> None:
    state, playback = replay.state, replay.playback
    whole = state.run.continuation if state.run else ""
    playback.seek = 2
    replay.draw(lambda: state.distribution is not None and state.distribution.step == 1)
    assert state.run is not None
    assert len(state.run.steps) == 2
    assert whole.startswith(state.run.continuation)
    assert (state.camera.zoom, playback.event) == (1.0, "view strip")
    replay.draw(lambda: "Atlas" in state.ui.shown and state.ui.view == "Atlas")
    playback.playing, playback.speed = True, 16.0
    replay.draw(lambda: not playback.playing)
    assert (playback.position, state.run.continuation, playback.event) == (6, whole, "view map")
    assert (state.camera.zoom, state.camera.center) == (4.0, (200.0, 90.0))
    replay.draw(lambda: "Map" in state.ui.shown)
    state.camera.wheel(-200, 0.5, 0.5)  # by the user: playback then leaves the camera alone
    playback.seek = 1
    replay.draw(lambda: playback.position == 1)
    assert not playback.camera
    assert 2 < state.camera.zoom < 4


def test_its_model_shows_the_tensors_of_every_step_and_continues_the_run(replay: Replay) -> None:
    state, playback, viewer = replay.state, replay.playback, replay.viewer
    loading = loading_recorded_model(replay.player, open_model("stories"), LoadOptions())
    replay.draw(lambda: viewer.controller is not None and not viewer.controller.pending)
    viewer.load(loading, "stories")
    while viewer.controller is None or not isinstance(viewer.controller.model, ModelRunner):
        assert viewer._wants_frames(time.perf_counter() + 1), "loading continues without an event"
        viewer.canvas.draw()
    assert playback.notice == ""
    playback.seek = 3
    replay.draw(lambda: state.distribution is not None and state.distribution.step == 2)
    assert state.distribution is not None
    recorded = replay.recording.logits(replay.recording.run(), 2)
    assert recorded is not None
    np.testing.assert_array_equal(state.distribution.logits.astype(np.float16), recorded)
    replay.draw(lambda: viewer._displays.pictures[0] is not None)
    replay.ask(Continue(2))
    replay.draw(lambda: playback.left and not state.busy)
    assert state.run is not None
    assert len(state.run.steps) == 5
    replay.ask(BackToRecording())
    replay.draw(lambda: not playback.left and playback.position == 6)
    assert [step.token for step in state.run.steps] == [
        s.record.token for s in replay.recording.steps(replay.recording.run())
    ]


def test_its_model_shows_the_recorded_view_of_the_map(replay: Replay) -> None:
    state, playback, viewer = replay.state, replay.playback, replay.viewer
    loading = loading_recorded_model(replay.player, open_model("stories"), LoadOptions())
    viewer.load(loading, "stories")
    replay.draw(lambda: viewer.controller is not None and isinstance(viewer.controller.model, ModelRunner))
    replay.draw(lambda: state.map.layout is not None and state.map.viewport().target == VIEWPORT.target)
    assert "Map" in state.ui.shown
    replay.draw(lambda: viewer._displays.pictures[1] is not None)
    for position, title in ((2, "Atlas"), (5, "Map"), (4, "Atlas"), (6, "Map")):
        playback.seek = position
        replay.draw(partial(lambda wanted: wanted in state.ui.shown, title))
        assert playback.camera
        assert state.map.viewport().target == VIEWPORT.target, "the view does not change"
    state.map.zoom_by(-500)  # by the user
    mine = state.map.camera.pose
    state.ui.front = "Atlas"
    for position in (2, 5, 6):
        playback.seek = position
        replay.draw(partial(lambda wanted: replay.playback.position == wanted, position))
        replay.draw(lambda: not playback.camera)
        assert state.map.camera.pose == mine
    replay.draw(lambda: "Atlas" in state.ui.shown)


def test_other_weights_are_reported_and_the_recording_stays(replay: Replay) -> None:
    source = open_model("stories")
    arrays = {name: np.array(source.tensor(name)) for name in parameter_shapes(source.config)}
    arrays["h.3.mlp.c_fc.weight"] *= 2
    other = ArrayModel("other", source.config, arrays)
    replay.viewer.load(loading_recorded_model(replay.player, other, LoadOptions()), "other")
    replay.draw(lambda: "differ from those of the recorded model" in replay.playback.notice)
    replay.draw(lambda: not replay.state.loading)
    assert replay.viewer.controller is not None
    assert replay.viewer.controller.model is replay.player.model
    assert replay.state.run is not None
    assert len(replay.state.run.steps) == 6


def test_a_file_that_is_still_written_is_followed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a prompt", PROMPT_TOKENS, MADE_UP)
    for index in range(2):
        recorder.step(step(index), draw(index), StepCapture(index))
    _written(recorder, 2)
    replay = Replay(tmp_path / "a.atlas")
    playback = replay.playback
    assert playback.count == 2
    playback.follow = True
    for index in range(2, 5):
        recorder.step(step(index), draw(index), StepCapture(index))
    replay.draw(lambda: playback.position == 5)
    recorder.begin_run("another", [*PROMPT_TOKENS, 3], MADE_UP, parent=1, fork_step=0)
    recorder.step(step(0), draw(0), StepCapture(0))
    replay.draw(lambda: playback.run == 2 and playback.position == 1)
    assert replay.state.run is not None
    assert (replay.state.run.parent, playback.runs) == (1, 2)
    playback.follow = False
    replay.ask(ShowRun(1))
    replay.draw(lambda: playback.run == 1 and playback.position == 5)
    recorder.close()
    replay.close()


def _written(recorder: Recorder, steps: int) -> None:
    wait_until(lambda: recorder.steps_written >= steps, f"{steps} steps are written")


def test_a_recording_without_logits_shows_its_candidates(tmp_path: Path) -> None:
    replay = Replay(make_session(tmp_path / "a.atlas", 5, logits="none"))
    state = replay.state
    for position in (2, 4, 1):
        replay.playback.seek = position
        replay.draw(partial(lambda steps: state.run is not None and len(state.run.steps) == steps, position))
        replay.draw(lambda: replay.viewer.controller is not None and not replay.viewer.controller.pending)
        assert state.distribution is None
        assert state.step is not None
        assert len(state.step.top) == 3
    assert isinstance(replay.player, Player)
    replay.close()


ODD = "\x1b]0;a\x07\x00b\u202e##%s\n" + 300 * "w"
ODD_EVENTS = (
    ("name", {"run": 1, "value": ODD}),
    ("name", {"run": True, "value": 3}),
    ("name", {"value": [1]}),
    ("view", {"value": {"a": [ODD]}}),
    ("view", {"value": 10**300}),
    ("options", {"value": {"top": 1e300}}),
    ("options", {"value": {"top": ODD, ODD: [[]]}}),
    (ODD.split("\x1b")[0] or "odd", {ODD: ODD}),
)
FAR = {"x": 1e300, "y": -1e300, "width": 1e9, "height": 1e-300, "zoom": 10**300}
ODD_CAMERAS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("strip", FAR),
    ("strip", {"zoom": 1e5, "x": 9e5, "y": -9e5}),
    ("strip", {"zoom": -1, "x": "1", "y": None}),
    ("map", {"tensor": ODD, "index": [10**300], **FAR}),
    ("map", {"tensor": "\x1b[2J\0", "index": [3, 4], "x": 1, "y": 1, "width": 8, "height": 8}),
    ("map", {"tensor": "wte", "index": [999_999_999, 0], "x": 9e5, "y": -9e5, "width": 9e8, "height": 1e-2}),
    ("map", {"tensor": "wte", "index": [1, 2, 3], "x": 1, "y": 1, "width": 8, "height": 8}),
    ("map", {"tensor": "wte", "index": [1], "x": 1, "y": 1, "width": 2e-3, "height": 9e8}),
    ("nowhere", {}),
)


def test_unusual_values_of_a_recording_are_drawn(tmp_path: Path) -> None:
    path = make_session(tmp_path / "a.atlas", steps=5)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET prompt = ?, started = 1e12", (ODD,))
    connection.execute("UPDATE tokens SET bytes = ? WHERE id % 2 = 0", (ODD.encode(),))
    connection.execute("UPDATE steps SET time = 1e12 WHERE step % 2 = 0")
    connection.execute("UPDATE steps SET context_start = 2147483648, context_length = 1 WHERE step = 1")
    connection.execute("UPDATE steps SET logit = 9e999, probability = NULL, rank = 384, kept = 0 WHERE step = 2")
    connection.execute("UPDATE steps SET forward_ms = -9e999, entropy = -1e300, nonfinite = 384 WHERE step = 3")
    connection.execute("UPDATE candidates SET logit = NULL, scaled_delta = -9e999 WHERE step = 3")
    connection.execute("UPDATE tensors SET rows = 4294967295, columns = 4294967295")
    odd = bytes.fromhex("007c00fc007e00fe") + bytes(2 * HEAD.config.vocabulary - 8)  # float16 infinities and NaN
    connection.execute("UPDATE logits SET data = ? WHERE step = 4", (odd,))
    connection.execute("UPDATE statistics SET data = ? WHERE step = 4", (b"\xff" * STATISTICS.itemsize * 2,))
    for table, marks in (("events", ODD_EVENTS), ("cameras", ODD_CAMERAS)):
        for index, (name, data) in enumerate(marks):
            row = (index / 10, 1, 1, name, json.dumps(data))
            connection.execute(f"INSERT INTO {table} VALUES (NULL, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    replay = Replay(path)
    replay.playback.notice = ODD
    replay.state.messages.append(ODD + "\ud800")
    for position in range(1, 6):
        replay.playback.seek = position
        replay.draw(partial(lambda wanted: replay.playback.position == wanted, position))
    for title in NAMES:
        replay.state.ui.front = title
        for _ in range(2):
            replay.viewer.canvas.draw()
            assert replay.viewer.failure is None
    replay.playback.playing, replay.playback.speed = True, 16.0
    replay.draw(lambda: not replay.playback.playing)
    replay.close()


def test_cameras_that_no_window_produces_give_pictures(runner: ModelRunner, recording: Path) -> None:
    with Recording(recording) as opened:
        run = RecordedRun(opened, opened.run())
    start = run.all_steps[0].time
    marks = [UiEvent(start + index, 1, 0, view, data) for index, (view, data) in enumerate(ODD_CAMERAS)]
    camera, viewport = recorded_camera(marks), recorded_viewport(marks)
    for maps in (None, MapTrack(viewport, MapStart(1.0, None, None))):
        pictures = RunPictures(runner, run, (64, 36), camera, panels=False, maps=maps)
        for index in range(len(marks)):
            image = pictures._draw(camera(start + index), viewport(start + index) if maps else None)
            assert image.shape == (36, 64, 4)
        assert pictures.frame(0).shape == (36, 64, 4)
        pictures.close()
