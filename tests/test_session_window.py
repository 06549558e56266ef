"""The window records itself and plays recordings, offscreen, with the real model and without."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from session_files import make_session

from atlas_viewer.app import Viewer
from atlas_viewer.canvas import open_picture
from atlas_viewer.requests import (
    BackToRecording,
    Branch,
    Continue,
    EndRecording,
    EndVideo,
    Record,
    RecordVideo,
    ShowRun,
    Undo,
)
from atlas_viewer.session_replay import open_player, opened
from atlas_viewer.sessions.player import Player
from atlas_viewer.sessions.reader import Session
from atlas_viewer.sessions.recorder import Recorder
from atlas_viewer.sessions.verify import IDENTICAL, verify_run
from atlas_viewer.state import State
from atlas_viewer.workbench import Workbench
from compute.checkpoint import ArrayModel, open_model
from compute.device import shared_device
from compute.engine import Engine
from compute.options import GenerateOptions
from compute.tokenizer import Tokenizer

PATIENCE = 60.0
OPTIONS = GenerateOptions(max_new_tokens=6, context=32, temperature=0.8, seed=3)


class Loop:
    """A viewer whose frames are drawn by hand."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer, self.state = viewer, viewer.state

    def draw(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end, (self.state.session, self.state.messages)
            self.viewer.canvas.force_draw() if hasattr(self.viewer.canvas, "paint") else self.viewer.canvas.draw()
            if self.viewer.failure is not None:
                raise self.viewer.failure

    def ask(self, *requests: object) -> None:
        self.state.requests += requests  # type: ignore[arg-type]
        self.draw(lambda: not self.state.requests)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def bench(tokenizer: Tokenizer) -> Workbench:
    return Workbench(open_model("stories"), tokenizer, context=32)


@pytest.fixture
def loop(folder: Path, bench: Workbench) -> Iterator[Loop]:
    state = State("Once upon a time", OPTIONS)
    viewer = Viewer(open_picture((960, 540)), shared_device(), state, None)
    viewer.show(bench, bench.start("Once upon a time", OPTIONS), "Once upon a time")
    yield Loop(viewer)
    viewer.canvas.close()
    bench.order_steps(None)


def test_runs_branches_and_options_are_recorded_and_hold(loop: Loop, stories: Engine, tokenizer: Tokenizer) -> None:
    state = loop.state
    told = state.session.recording
    assert told.path == "session-1.atlas"
    loop.draw(lambda: state.run is not None and len(state.run.steps) >= 2)
    loop.ask(Record(told.path, "f16"))  # in the middle of a run
    loop.draw(lambda: not state.busy)
    state.options = dataclasses.replace(state.options, temperature=1.4)
    loop.ask(Continue(2))  # the same run, with other options
    loop.draw(lambda: not state.busy)
    assert state.run is not None
    loop.ask(Branch(3, state.run.steps[3].top[2].token))
    loop.draw(lambda: not state.busy)
    loop.ask(Undo(), Undo(), Continue(1))
    loop.draw(lambda: not state.busy)
    state.camera.look_at(3.0, 100.0, 90.0)
    time.sleep(0.12)
    loop.ask(EndRecording())
    loop.draw(lambda: not told.on)
    assert (told.path, told.trouble, state.messages) == ("session-2.atlas", "", [])
    with Session(Path("session-1.atlas")) as session:
        first, branch, undone = session.runs()
        assert (first.parent, branch.parent, undone.parent) == (None, first.id, branch.id)
        begun = first.fork_step
        assert begun is not None
        assert begun >= 2
        assert branch.fork_step == 4 - begun
        assert [run.stop_reason for run in session.runs()] == ["length"] * 3
        assert session.count(first) == 8 - begun
        assert {step.options.temperature for step in session.steps(first)} == {0.8, 1.4}
        assert session.statistics(first, 0) is not None
        assert session.logits(first, 0) is not None
        found = [v for run in session.runs() for v in verify_run(session, run, stories, tokenizer)]
        assert {(v.verdict, v.draw_repeats) for v in found} == {(IDENTICAL, True)}
        kinds = [event.name for event in session.events()]
        assert {"Continue", "Branch", "Undo", "options"} <= set(kinds)
        assert session.cameras()[-1].data == {"zoom": 3.0, "x": 106.66666666666667, "y": 90.0}


def test_a_file_that_is_there_is_never_replaced(loop: Loop, folder: Path) -> None:
    (folder / "mine.atlas").write_text("precious")
    loop.ask(Record("mine.atlas"))
    assert "mine.atlas: is there already" in loop.state.messages[-1]
    assert not loop.state.session.recording.on
    loop.ask(Record(str(folder / "nowhere" / "a.atlas")))
    loop.draw(lambda: not loop.state.session.recording.on)
    assert "there is no folder" in loop.state.messages[-1]
    assert (folder / "mine.atlas").read_text() == "precious"


def test_a_file_that_is_removed_is_told_and_the_run_goes_on(loop: Loop, folder: Path) -> None:
    state = loop.state
    loop.ask(Record("a.atlas", "none", statistics=False))
    loop.draw(lambda: state.session.recording.stage == "recording")
    (folder / "a.atlas").unlink()
    loop.draw(lambda: state.messages and not state.session.recording.on)
    assert "nothing is recorded" in state.messages[-1]
    assert "removed" in state.session.recording.trouble
    loop.draw(lambda: not state.busy)
    assert state.run is not None
    assert len(state.run.steps) == 6


def test_the_end_of_the_window_ends_the_recording(loop: Loop) -> None:
    state = loop.state
    loop.ask(Record("a.atlas", "none", statistics=False))
    loop.draw(lambda: not state.busy and state.session.recording.stage == "recording")
    loop.viewer.canvas.close()
    with Session(Path("a.atlas")) as session:
        assert session.run().stop_reason == "length"
        assert session.count(session.run()) == 6 - (session.run().fork_step or 0)
    assert not Path("a.atlas-wal").exists()


def test_the_window_records_itself(loop: Loop, folder: Path) -> None:
    state = loop.state
    video = state.session.video
    (folder / "there.mp4").write_text("precious")
    loop.ask(RecordVideo("there.mp4"))
    assert "there.mp4: is there already" in state.messages[-1]
    loop.ask(RecordVideo("w.avi"))
    assert "must end in one of" in state.messages[-1]
    began = time.monotonic()
    loop.ask(RecordVideo("w.mkv"))
    loop.draw(lambda: video.frames >= 4)
    loop.viewer.canvas.set_logical_size(801, 541)
    loop.draw(lambda: video.frames >= 6)
    loop.ask(EndVideo())
    loop.draw(lambda: not video.stage)
    assert video.trouble == ""
    with av.open("w.mkv") as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height) == (960, 540)
    assert len(frames) == video.frames + 1
    assert frames[-1].time is not None
    assert frames[-1].time == pytest.approx(time.monotonic() - began, abs=1.5)
    shown = np.asarray(loop.viewer.canvas.draw())
    last = frames[-1].to_ndarray(format="rgb24").astype(int)
    assert abs(last.mean() - shown[..., :3].mean()) < 6


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, bench: Workbench) -> Path:
    """A run of the real model with a camera that moves at its third step."""
    path = tmp_path_factory.mktemp("recording") / "r.atlas"
    recorder = bench.open_recording(path, bench.weights_sha256())

    class Order:
        logits = statistics = True

        def begun(self, prompt_tokens: list[int], *_: object) -> None:
            recorder.begin_run("Once upon a time", prompt_tokens, OPTIONS)
            recorder.camera("strip", {"zoom": 1.0, "x": 320.0, "y": 180.0})

        def step(self, record: object, *more: object) -> None:
            if record.index == 3:  # type: ignore[attr-defined]
                recorder.camera("strip", {"zoom": 4.0, "x": 200.0, "y": 90.0})
                recorder.event("chosen", {"value": 2})
            recorder.step(record, *more)  # type: ignore[arg-type]

    bench.order_steps(Order())  # type: ignore[arg-type]
    bench.start("Once upon a time", OPTIONS).run()
    bench.order_steps(None)
    recorder.end_run("length")
    recorder.close()
    return path


class Replay(Loop):
    def __init__(self, path: Path) -> None:
        self.session = Session(path)
        state = State("", GenerateOptions())
        viewer, self.player = open_player(open_picture((960, 540)), shared_device(), state, self.session, None)
        super().__init__(viewer)
        self.told = self.player.told
        self.draw(lambda: self.told.position)

    def close(self) -> None:
        self.viewer.canvas.close()
        self.session.close()


@pytest.fixture
def replay(recording: Path) -> Iterator[Replay]:
    made = Replay(recording)
    yield made
    made.close()


def test_without_a_model_everything_recorded_is_shown(replay: Replay) -> None:
    state, told = replay.state, replay.told
    replay.draw(lambda: state.distribution is not None and state.inspection.statistics)
    assert state.model is not None
    assert (state.model.name, told.count, told.position) == ("stories", 6, 6)
    assert state.run is not None
    logits = replay.session.logits(replay.session.run(), 5)
    assert state.distribution is not None
    assert logits is not None
    np.testing.assert_array_equal(state.distribution.logits, logits.astype(np.float32))
    assert state.inspection.statistics["h.0.ln_1"].count > 0
    assert state.inspection.statistics["wte"].finite > 0
    assert state.picture is not None
    assert state.picture(64, 36) is None  # no atlas is made up
    state.interface.front = "Map"
    replay.draw(lambda: "model is not here" in state.map.problem)
    replay.ask(Continue(2))
    assert "model is not here" in state.messages[-1]
    assert not told.left


def test_the_timeline_moves_text_chips_logits_and_camera(replay: Replay) -> None:
    state, told = replay.state, replay.told
    whole = state.run.continuation if state.run else ""
    told.seek = 2
    replay.draw(lambda: state.distribution is not None and state.distribution.step == 1)
    assert state.run is not None
    assert len(state.run.steps) == 2
    assert whole.startswith(state.run.continuation)
    assert (state.camera.zoom, told.event) == (1.0, "")
    told.playing, told.speed = True, 16.0
    replay.draw(lambda: not told.playing)
    assert (told.position, state.run.continuation, told.event) == (6, whole, "chosen 2")
    assert (state.camera.zoom, state.camera.center) == (4.0, (200.0, 90.0))
    state.camera.wheel(-200, 0.5, 0.5)  # by hand: then it stays there
    told.seek = 1
    replay.draw(lambda: told.position == 1)
    assert not told.camera
    assert 2 < state.camera.zoom < 4


def test_its_model_gives_the_atlas_of_every_step_and_goes_on(replay: Replay) -> None:
    state, told, viewer = replay.state, replay.told, replay.viewer
    loading = opened(replay.player, open_model("stories"), weights="native", adapter=None, program="auto")
    viewer.load(loading, "stories")
    replay.draw(lambda: viewer.controller is not None and isinstance(viewer.controller.bench, Workbench))
    assert told.notice == ""
    told.seek = 3
    replay.draw(lambda: state.distribution is not None and state.distribution.step == 2 and state.picture)
    assert state.distribution is not None
    recorded = replay.session.logits(replay.session.run(), 2)
    assert recorded is not None
    np.testing.assert_array_equal(state.distribution.logits.astype(np.float16), recorded)
    assert state.picture is not None
    replay.draw(lambda: state.picture is not None and state.picture(64, 36) is not None)
    replay.ask(Continue(2))
    replay.draw(lambda: told.left and not state.busy)
    assert state.run is not None
    assert len(state.run.steps) == 5
    replay.ask(BackToRecording())
    replay.draw(lambda: not told.left and told.position == 6)
    assert [step.token for step in state.run.steps] == [
        s.record.token for s in replay.session.steps(replay.session.run())
    ]


def test_other_weights_are_told_and_what_was_recorded_stays(replay: Replay) -> None:
    source = open_model("stories")
    from compute.config import parameter_shapes

    arrays = {name: np.array(source.tensor(name)) for name in parameter_shapes(source.config)}
    arrays["h.3.mlp.c_fc.weight"] *= 2
    other = ArrayModel("other", source.config, arrays)
    replay.viewer.load(opened(replay.player, other, weights="native", adapter=None, program="auto"), "other")
    replay.draw(lambda: "other weights" in replay.told.notice)
    replay.draw(lambda: not replay.state.loading)
    assert replay.viewer.controller is not None
    assert replay.viewer.controller.bench is replay.player.bench
    assert replay.state.run is not None
    assert len(replay.state.run.steps) == 6


def test_a_file_that_is_still_written_is_followed(tmp_path: Path) -> None:
    from session_files import HEAD, OPTIONS, PROMPT_TOKENS, TENSORS, Measured, draw, step, token_bytes

    recorder = Recorder(tmp_path / "a.atlas", HEAD, TENSORS, token_bytes)
    recorder.begin_run("a prompt", PROMPT_TOKENS, OPTIONS)
    for index in range(2):
        recorder.step(step(index), draw(index), Measured(index))
    _written(recorder, 2)
    replay = Replay(tmp_path / "a.atlas")
    told = replay.told
    assert told.count == 2
    told.follow = True
    for index in range(2, 5):
        recorder.step(step(index), draw(index), Measured(index))
    replay.draw(lambda: told.position == 5)
    recorder.begin_run("another", [*PROMPT_TOKENS, 3], OPTIONS, parent=1, fork_step=0)
    recorder.step(step(0), draw(0), Measured(0))
    replay.draw(lambda: told.run == 2 and told.position == 1)
    assert replay.state.run is not None
    assert (replay.state.run.parent, told.runs) == (1, 2)
    told.follow = False
    replay.ask(ShowRun(1))
    replay.draw(lambda: told.run == 1 and told.position == 5)
    recorder.close()
    replay.close()


def _written(recorder: Recorder, steps: int) -> None:
    end = time.monotonic() + PATIENCE
    while recorder.steps_written < steps:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_session_without_logits_shows_its_candidates(tmp_path: Path) -> None:
    replay = Replay(make_session(tmp_path / "a.atlas", 5, logits="none"))
    state = replay.state
    for position in (2, 4, 1):
        replay.told.seek = position
        replay.draw(lambda at=position: state.run is not None and len(state.run.steps) == at)
        replay.draw(lambda: replay.viewer.controller is not None and not replay.viewer.controller.pending)
        assert state.distribution is None
        assert state.step is not None
        assert len(state.step.top) == 3
    assert isinstance(replay.player, Player)
    replay.close()
