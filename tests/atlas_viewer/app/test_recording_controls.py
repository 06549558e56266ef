"""The window records its runs and itself, offscreen, with the real model."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.recording import ui_recorder
from atlas_viewer.recording.cameras import recorded_camera_track
from atlas_viewer.recording.event_text import names
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.verify import IDENTICAL, verify_run
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import navigation
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.requests import Branch, Continue, EndRecording, EndVideo, Generate, Record, RecordVideo, Undo
from atlas_viewer.state.state import State
from compute.forward.engine import Engine
from compute.gpu.device import shared_device
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer

from helpers.recording_loop import OPTIONS, Loop

pytestmark = pytest.mark.gpu


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loop(folder: Path, runner: ModelRunner) -> Iterator[Loop]:
    state = State("Once upon a time", OPTIONS)
    viewer = Viewer(open_picture((960, 540)), shared_device(), state, None)
    viewer.show(runner, runner.start("Once upon a time", OPTIONS), "Once upon a time")
    yield Loop(viewer)
    viewer.canvas.close()
    runner.set_step_listener(None)


def hashed(loop: Loop) -> None:
    """Wait until the weights are hashed, so that later recordings begin at once."""
    status = loop.state.recording.recorder
    loop.ask(Record("hashed.atlas", "none", statistics=False))
    loop.draw(lambda: status.stage == "recording")
    loop.ask(EndRecording())
    loop.draw(lambda: not status.on and not loop.state.busy)


def test_runs_branches_and_options_are_recorded_and_verify(loop: Loop, stories: Engine, tokenizer: Tokenizer) -> None:
    state = loop.state
    status = state.recording.recorder
    assert status.path == "session-1.atlas"
    hashed(loop)
    loop.ask(Generate("Once upon a time", dataclasses.replace(OPTIONS, max_new_tokens=20)))
    loop.draw(lambda: state.run is not None and len(state.run.steps) >= 2)
    loop.ask(Record(status.path, "f16"))  # in the middle of a run
    loop.draw(lambda: not state.busy)
    state.options = dataclasses.replace(state.options, temperature=1.4)
    loop.ask(Continue(2))  # the same run, with other options
    loop.draw(lambda: not state.busy)
    assert state.run is not None
    picked = state.run.steps[17].top[2].text
    loop.ask(Branch(17, state.run.steps[17].top[2].token))
    loop.draw(lambda: not state.busy)
    loop.ask(Undo(), Undo(), Continue(1))
    loop.draw(lambda: not state.busy)
    state.camera.look_at(3.0, 100.0, 90.0)
    assert state.run is not None
    state.run.name = "taken back"
    loop.ask(EndRecording())
    loop.draw(lambda: not status.on)
    assert (status.path, status.trouble, state.messages) == ("session-2.atlas", "", [])
    with Recording(Path("session-1.atlas")) as recording:
        first, branch, undone = recording.runs()
        assert (first.parent, branch.parent, undone.parent) == (None, first.id, branch.id)
        begun = first.fork_step
        assert begun is not None
        assert begun >= 2
        assert branch.fork_step == 18 - begun
        assert [run.stop_reason for run in recording.runs()] == ["length", "length", "paused"]
        assert recording.count(first) == 22 - begun
        assert {step.options.temperature for step in recording.steps(first)} == {0.8, 1.4}
        assert recording.statistics(first, 0) is not None
        assert recording.logits(first, 0) is not None
        results = [v for run in recording.runs() for v in verify_run(recording, run, stories, tokenizer)]
        assert {(v.verdict, v.draw_repeats) for v in results} == {(IDENTICAL, True)}
        assert names(recording.events()) == {undone.id: "taken back"}
        player = Player(recording, replayed := State("", GenerateOptions()))
        titles = {run.title for run in replayed.runs.all.values() if run.parent is not None}
        assert titles == {f"#18 {quoted(picked)}", "taken back"}
        assert player.run.title == "taken back"
        kinds = [event.name for event in recording.events()]
        assert {"Continue", "Branch", "Undo", "options"} <= set(kinds)
        assert recording.cameras()[-1].data == {"zoom": 3.0, "x": 106.66666666666667, "y": 90.0}


def test_the_map_and_the_front_view_are_recorded_in_every_recording(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_recorder, "_EVERY", 0.0)  # views that are visible only for a moment count, too
    state, status = loop.state, loop.state.recording.recorder
    state.ui.front = "Atlas"
    loop.draw(lambda: not state.busy and "Atlas" in state.ui.shown)
    for number, zoom in enumerate((500.0, 900.0), start=1):
        loop.ask(Record(f"{number}.atlas", "none", statistics=False))
        loop.draw(lambda: status.stage == "recording")
        navigation.open_map(state)
        loop.draw(lambda: state.map.layout is not None)
        state.map.zoom_by(zoom)
        loop.ask(Continue(1))
        loop.draw(lambda: not state.busy)
        state.camera.look_at(2.0 + number, 300, 100)
        state.ui.front = "Atlas"
        loop.draw(lambda: "Atlas" in state.ui.shown)
        loop.ask(EndRecording())
        loop.draw(lambda: not status.on)
        with Recording(Path(f"{number}.atlas")) as recording:
            track = recorded_camera_track(recording.cameras(), recording.events())
            views = [event.data["value"] for event in recording.events() if event.name == "view"]
        assert views == ["strip", "map", "strip"]
        assert track.map(math.inf) == state.map.viewport()
        assert track.strip(math.inf).zoom == 2.0 + number


def test_an_existing_file_is_never_replaced(loop: Loop, folder: Path) -> None:
    (folder / "mine.atlas").write_text("precious")
    loop.ask(Record("mine.atlas"))
    assert "mine.atlas: already exists" in loop.state.messages[-1]
    assert not loop.state.recording.recorder.on
    loop.ask(Record(str(folder / "nowhere" / "a.atlas")))
    loop.draw(lambda: not loop.state.recording.recorder.on)
    assert "there is no folder" in loop.state.messages[-1]
    assert (folder / "mine.atlas").read_text() == "precious"


def test_an_offered_name_that_is_taken_meanwhile_is_replaced_by_the_next(loop: Loop, folder: Path) -> None:
    state = loop.state
    status, video = state.recording.recorder, state.recording.video
    for name in (status.path, "session-2.atlas"):
        (folder / name).write_text("precious")
    loop.ask(Record(status.path, "none", statistics=False), RecordVideo("mine.mkv"))
    loop.draw(lambda: status.stage == "recording" and video.frames >= 1)
    assert status.path == "session-3.atlas"
    (folder / "mine.mkv").write_text("precious")  # by another program, while the video is recorded
    loop.ask(EndRecording(), EndVideo())
    loop.draw(lambda: not status.on and not video.stage)
    assert (status.trouble, video.trouble, state.messages) == ("", "", [])
    assert video.note.endswith("frames in mine-1.mkv")
    with Recording(Path("session-3.atlas")):
        pass
    with av.open("mine-1.mkv") as container:
        assert container.streams.video[0].frames or next(container.decode(video=0)) is not None
    assert sorted(path.name for path in folder.iterdir() if path.stat().st_size == len("precious")) == [
        "mine.mkv", "session-1.atlas", "session-2.atlas",
    ]  # fmt: skip


def test_a_removed_file_is_reported_and_the_run_continues(loop: Loop, folder: Path) -> None:
    state = loop.state
    loop.ask(Record("a.atlas", "none", statistics=False))
    loop.draw(lambda: state.recording.recorder.stage == "recording")
    loop.draw(lambda: not state.busy)
    (folder / "a.atlas").unlink()
    loop.ask(Continue(3))
    loop.draw(lambda: state.messages and not state.recording.recorder.on)
    assert "nothing is recorded" in state.messages[-1]
    assert "removed" in state.recording.recorder.trouble
    loop.draw(lambda: not state.busy)
    assert state.run is not None
    assert len(state.run.steps) == 9


def test_closing_the_window_ends_the_recording(loop: Loop) -> None:
    state = loop.state
    hashed(loop)
    loop.ask(Record("a.atlas", "none", statistics=False), Generate("Once upon a time", OPTIONS))
    loop.draw(lambda: not state.busy and state.recording.recorder.stage == "recording")
    loop.viewer.canvas.close()
    with Recording(Path("a.atlas")) as recording:
        assert recording.run().stop_reason == "length"
        assert recording.count(recording.run()) == 6
    assert not Path("a.atlas-wal").exists()


def test_closing_the_window_stops_the_run(loop: Loop, runner: ModelRunner) -> None:
    state = loop.state
    loop.draw(lambda: not state.busy)
    loop.ask(Record("a.atlas", "none", statistics=False))
    loop.draw(lambda: state.recording.recorder.stage == "recording")
    loop.ask(Continue(100_000))
    loop.draw(lambda: state.recording.recorder.steps >= 2)
    assert state.busy
    loop.viewer.canvas.close()
    with Recording(Path("a.atlas")) as recording:
        assert recording.run().stop_reason == "stopped", "a missing reason would mean that the program was killed"
        assert recording.count(recording.run()) >= 2


def test_the_window_records_itself(loop: Loop, folder: Path) -> None:
    state = loop.state
    video = state.recording.video
    state.ui.front = "Atlas"  # Map would still be loading while the video is recorded
    loop.draw(lambda: not state.busy and "Atlas" in state.ui.shown)
    (folder / "there.mp4").write_text("precious")
    loop.ask(RecordVideo("there.mp4"))
    assert "there.mp4: already exists" in state.messages[-1]
    loop.ask(RecordVideo("w.avi"))
    assert "must end in one of" in state.messages[-1]
    asked = time.monotonic()
    loop.ask(RecordVideo("w.mkv"))
    loop.draw(lambda: video.frames >= 1)
    began = time.monotonic()
    loop.draw(lambda: video.frames >= 4)
    loop.viewer.canvas.set_logical_size(801, 541)
    loop.draw(lambda: video.frames >= 6)
    ended = time.monotonic()
    loop.ask(EndVideo())
    loop.draw(lambda: not video.stage)
    assert video.trouble == ""
    with av.open("w.mkv") as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height) == (960, 540)
    assert len(frames) == video.frames + 1
    assert frames[-1].time is not None
    # The video lasts from its first frame to its end; frame times are rounded.
    assert ended - began - 0.1 < frames[-1].time < time.monotonic() - asked + 0.1
    shown = np.asarray(loop.viewer.canvas.draw())
    last = frames[-1].to_ndarray(format="rgb24").astype(int)
    assert abs(last.mean() - shown[..., :3].mean()) < 6
