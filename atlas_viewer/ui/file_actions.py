"""Choices made in a file dialog, as functions on the state: a model, a recording, names of new files."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.requests import OpenModel, OpenRecording, OpenRecordingWindow, Request, Screenshot
from atlas_viewer.state.state import State

from . import file_dialogs


def choose_model(state: State) -> None:
    """Choose a model file and open it."""

    def open_model(path: str) -> None:
        state.models.path = path
        state.requests.append(OpenModel(path))

    file_dialogs.choose("Open a model", state.models.path, file_dialogs.MODELS, open_model)


def choose_recording(state: State) -> None:
    """Choose a recording and open it; without file dialogs, put the keyboard focus on the field for its path."""
    if file_dialogs.problem():
        state.ui.front, state.recording.typing = "Session", True
        return
    _choose_recording(state, OpenRecording)


def choose_in_window(state: State) -> None:
    """Choose a recording and open it in a window of its own."""
    _choose_recording(state, OpenRecordingWindow)


def _choose_recording(state: State, request: Callable[[str], Request]) -> None:
    def open_recording(path: str) -> None:
        state.recording.other = path
        state.requests.append(request(path))

    start = state.recording.other or state.recording.recorder.path
    file_dialogs.choose("Open a recording", start, file_dialogs.RECORDINGS, open_recording)


def name_recording(state: State) -> None:
    """Choose where the next recording is saved. The recorder never replaces a file, so the dialog does not offer to."""
    recorder = state.recording.recorder

    def name(path: str) -> None:
        recorder.path = path

    file_dialogs.choose_new("Save the recording as", recorder.path, file_dialogs.RECORDINGS, name, replace=False)


def name_video(state: State) -> None:
    """Choose where the next video of the window is saved."""
    video = state.recording.video

    def name(path: str) -> None:
        video.path = path

    file_dialogs.choose_new("Save the video as", video.path, file_dialogs.VIDEOS, name, replace=False)


def open_save(state: State) -> None:
    """Open the dialog that saves tensors, with the inspected tensor's name, or close it."""
    ui, focus = state.ui, state.inspection.focus
    if ui.dialog == "save":
        ui.dialog = ""
        return
    ui.dialog = "save"
    if not state.save.stage:
        state.save.note = state.save.trouble = ""
        if focus is not None:
            state.save.names = focus.name


def name_tensors(state: State) -> None:
    """Choose where the tensors are saved. They never replace a file, so the dialog does not offer to."""

    def name(path: str) -> None:
        state.save.path = path

    file_dialogs.choose_new("Save tensors as", state.save.path, file_dialogs.ARRAYS, name, replace=False)


def choose_picture(state: State) -> None:
    """Choose a file and save a picture of the window to it."""

    def save(path: str) -> None:
        state.requests.append(Screenshot(path))

    file_dialogs.choose_new("Save a picture as", "atlas-viewer.png", file_dialogs.PICTURES, save, replace=True)
