"""Recordings opened in the window in place of the live model, and the way back to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.playback_switch import PlaybackSwitch
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.requests import (
    CloseRecording,
    Continue,
    EndRecording,
    OpenRecording,
    Record,
    SaveTensors,
    ShowRun,
)
from atlas_viewer.state.runs import unsaved
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device

from helpers.make_recordings import make_session
from helpers.paths import ROOT
from helpers.recording_loop import OPTIONS, Loop

pytestmark = pytest.mark.gpu

OLDER = ROOT / "tests" / "data" / "version_0.1.0" / "window.atlas"


class Live(Loop):
    """A window in which the embedded model has generated one run."""

    def __init__(self, runner: ModelRunner) -> None:
        state = State("Once upon a time", OPTIONS)
        viewer = Viewer(open_picture((960, 540)), shared_device(), state, None)
        viewer.playbacks = PlaybackSwitch(viewer, LoadOptions())
        super().__init__(viewer)
        viewer.show(runner, runner.start(state.prompt, OPTIONS), state.prompt)
        self.draw(lambda: state.run is not None and state.run.done)

    def record(self, path: Path) -> None:
        """Record a second run."""
        state = self.state
        self.ask(Record(str(path)))
        self.draw(lambda: state.recording.recorder.stage == "recording")
        state.generate()
        self.draw(lambda: len(state.runs.all) == 2 and not state.busy)
        self.ask(EndRecording())
        self.draw(lambda: not state.recording.recorder.stage)


@pytest.fixture
def live(runner: ModelRunner) -> Iterator[Live]:
    opened = Live(runner)
    yield opened
    opened.viewer.canvas.close()


def test_the_recording_uses_the_live_model_and_the_way_back_keeps_every_run(live: Live, tmp_path: Path) -> None:
    state, viewer = live.state, live.viewer
    live.record(tmp_path / "a.atlas")
    model = viewer.controller.model if viewer.controller else None
    texts = {number: run.continuation for number, run in state.runs.all.items()}
    assert [run.number for run in unsaved(state.runs, state.recording.saved)] == [1]
    assert state.ui.recent == [str(tmp_path / "a.atlas")]

    live.ask(OpenRecording(str(tmp_path / "a.atlas")))
    playback = state.recording.playback
    assert playback is not None
    live.draw(lambda: playback.position == OPTIONS.max_new_tokens and not state.loading)
    assert viewer.controller is not None
    assert viewer.controller.model is model, "the weights are the same, so nothing is loaded twice"
    assert (len(state.runs.all), state.recording.live, playback.notice) == (1, "stories", "")
    assert unsaved(state.runs, state.recording.saved) == []

    live.ask(CloseRecording())
    live.draw(lambda: state.run is not None and state.run.number == 2)
    assert (state.recording.playback, viewer.player, state.recording.live) == (None, None, "")
    assert {number: run.continuation for number, run in state.runs.all.items()} == texts
    live.ask(ShowRun(1), Continue(2))
    live.draw(lambda: state.run is not None and len(state.run.steps) == OPTIONS.max_new_tokens + 2)


def test_runs_continued_from_a_recording_are_discarded_only_after_a_question(live: Live, tmp_path: Path) -> None:
    state = live.state
    live.record(tmp_path / "a.atlas")
    live.ask(OpenRecording(str(tmp_path / "a.atlas")))
    live.draw(lambda: not state.loading and state.run is not None and state.run.steps)
    live.ask(Continue(2))
    live.draw(lambda: state.run is not None and len(state.run.steps) == OPTIONS.max_new_tokens + 2 and not state.busy)
    live.ask(CloseRecording())
    question = state.recording.question
    assert question is not None
    assert question.text.startswith("1 run has steps")
    assert state.ui.dialog == "discard"
    assert state.recording.live, "nothing is closed before the answer"
    state.ui.dialog = ""
    live.ask(question.request)
    live.draw(lambda: not state.recording.live and len(state.runs.all) == 2)


def test_another_recording_takes_the_place_of_the_first(live: Live, tmp_path: Path) -> None:
    state = live.state
    made_up = make_session(tmp_path / "b.atlas", 5)
    for path in (OLDER, made_up):
        live.ask(OpenRecording(str(path)))
        live.draw(lambda: not state.loading and state.run is not None and state.run.steps)
    playback = state.recording.playback
    assert playback is not None
    assert "model" in playback.notice, "a made-up model cannot be found"
    assert state.ui.recent[:2] == [str(made_up), str(OLDER)]
    live.ask(CloseRecording())
    live.draw(lambda: state.run is not None and state.run.prompt == "Once upon a time")


@pytest.mark.parametrize("damage", ["missing", "text", "steps"])
def test_a_file_that_cannot_be_played_leaves_everything_as_it_was(live: Live, tmp_path: Path, damage: str) -> None:
    state, path = live.state, tmp_path / "bad.atlas"
    if damage == "text":
        path.write_text("no recording")
    elif damage == "steps":
        make_session(path, 5)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE steps SET token = 999999999 WHERE step = 2")
        connection.commit()
        connection.close()
    run, inspection = state.run, state.inspection
    live.ask(OpenRecording(str(path)))
    assert len(state.messages) == 1
    assert "bad.atlas" in state.messages[0]
    assert "\n" not in state.messages[0]
    assert (state.run, state.inspection, state.recording.playback, state.ui.recent) == (run, inspection, None, [])
    live.ask(Continue(1))
    live.draw(lambda: state.run is not None and len(state.run.steps) == OPTIONS.max_new_tokens + 1)


def test_tensors_of_a_recorded_step_are_saved(live: Live, tmp_path: Path) -> None:
    state = live.state
    live.record(tmp_path / "a.atlas")
    live.ask(OpenRecording(str(tmp_path / "a.atlas")))
    playback = state.recording.playback
    assert playback is not None
    live.draw(lambda: playback.position == OPTIONS.max_new_tokens and not state.loading)
    state.chosen = 2
    live.ask(SaveTensors("ln_f", str(tmp_path / "a.npz")))
    live.draw(lambda: state.save.note or state.save.trouble)
    assert "step 3 of run 1, stories" in state.save.note
    run = state.run
    assert run is not None
    tokens = [token for token, _ in run.prompt_tokens] + [step.token for step in run.steps[:2]]
    with np.load(tmp_path / "a.npz") as file:
        assert file["tokens"].tolist() == tokens
        passed = atlas_viewer.load("stories", context=32).run(tokens, keep="ln_f")
        assert np.allclose(file["ln_f"], passed["ln_f"], atol=2e-3)
