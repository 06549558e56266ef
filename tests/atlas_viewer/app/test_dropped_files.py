"""Files dropped on the window."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atlas_viewer.app.dropped_files import open_dropped
from atlas_viewer.state.requests import OpenModel, OpenRecording
from atlas_viewer.state.state import State

from helpers.fake_generation import paused_state
from helpers.make_recordings import make_session
from helpers.paths import SEARCH_PATH
from helpers.real_window import display, needs_display

__all__ = ["display"]


@pytest.fixture
def state() -> State:
    return paused_state()


def test_a_recording_is_recognized_by_its_name_or_its_first_bytes(state: State, tmp_path: Path) -> None:
    renamed = make_session(tmp_path / "a.atlas", 2).rename(tmp_path / "a.backup")
    for path in (str(tmp_path / "missing.ATLAS"), str(renamed)):
        open_dropped(state, [path], models=False)
        assert state.requests.pop() == OpenRecording(path)
    assert not state.messages


def test_a_model_opens_at_once_only_if_no_run_is_lost(state: State, tmp_path: Path) -> None:
    run = state.run
    assert run is not None
    open_dropped(state, [str(tmp_path)], models=True)
    question = state.recording.question
    assert question is not None
    assert (state.ui.dialog, list(state.requests)) == ("discard", [])
    assert question.request == OpenModel(str(tmp_path), discard=True)
    assert question.text.startswith("1 run that no file contains")
    state.recording.saved = {run.number: len(run.steps)}
    open_dropped(state, [str(tmp_path)], models=True)
    assert list(state.requests) == [OpenModel(str(tmp_path))]


def test_a_recordings_own_window_opens_no_model(state: State, tmp_path: Path) -> None:
    open_dropped(state, [str(tmp_path / "model\n.bin")], models=False)
    assert not state.requests
    assert "is not a recording" in state.messages[0]
    assert "\n" not in state.messages[0]


def test_the_first_of_several_files_opens(state: State) -> None:
    open_dropped(state, ["a.atlas", "b.atlas"], models=True)
    assert list(state.requests) == [OpenRecording("a.atlas")]
    assert state.messages == ["2 files were dropped, and only one can be opened: a.atlas"]


# Calls GLFW's drop callback as the desktop would, with the bytes of two paths.
DROP = """
import ctypes, glfw
from atlas_viewer.app.canvas import open_window, take_drops
canvas, _ = open_window("drop", (200, 100), vsync=False)
take_drops(canvas, lambda paths: print(paths))
paths = (ctypes.c_char_p * 2)(b"/a b/c.atlas", "/d/\\u00e9".encode())
callback = glfw.set_drop_callback(canvas._window, None)
callback(canvas._window, 2, paths)
print(canvas._due)
"""


@pytest.mark.window
@needs_display
def test_the_window_passes_dropped_paths_on_and_draws(display: str) -> None:
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": SEARCH_PATH, "PYTHONIOENCODING": "utf-8"}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", DROP], env=environment, check=False, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.splitlines() == ["['/a b/c.atlas', '/d/é']", "True"], done.stderr
