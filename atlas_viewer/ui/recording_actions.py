"""Actions on recordings as functions on the state: start, stop, play, seek."""

from __future__ import annotations

import os
from collections.abc import Callable

from atlas_viewer.state.requests import CloseRecording, EndRecording, EndVideo, OpenRecording, Record, RecordVideo
from atlas_viewer.state.state import State
from atlas_viewer.state.timeline import played_back


def record(state: State) -> None:
    """Start recording runs, or stop."""
    recorder = state.recording.recorder
    request = Record(recorder.path, recorder.logits, recorder.statistics)
    state.requests.append(EndRecording() if recorder.on else request)
    state.ui.hidden.discard("Session")


def has_recent(state: State) -> bool:
    """True if a recording has been opened or made before."""
    return bool(state.ui.recent)


def open_recent(state: State) -> None:
    """Open the recording that was opened or made last, except the one on screen."""
    playback = state.recording.playback
    shown = os.path.abspath(playback.file) if playback is not None else ""
    path = next((path for path in state.ui.recent if path != shown), "")
    if path:
        state.requests.append(OpenRecording(path))


def has_live(state: State) -> bool:
    """True while a recording is shown in place of the live model."""
    return bool(state.recording.live)


def back_to_live(state: State) -> None:
    """Close the recording, and show the live model and its runs."""
    state.requests.append(CloseRecording())


def discard(state: State) -> None:
    """Do what the question in the dialog was about."""
    question = state.recording.question
    if question is not None:
        state.requests.append(question.request)
    state.ui.dialog, state.recording.question = "", None


def record_video(state: State) -> None:
    """Start recording the window as a video, or stop."""
    video = state.recording.video
    state.requests.append(EndVideo() if video.stage else RecordVideo(video.path))


def is_played_back(state: State) -> bool:
    """True while a recording is on screen."""
    return played_back(state) is not None


def play_back(state: State) -> None:
    """Play the recording, from the start if it is at its end, or pause it."""
    playback = played_back(state)
    if playback is not None:
        playback.playing = not playback.playing
        if playback.playing and playback.position == playback.count:
            playback.seek = 1


def seek(offset: int) -> Callable[[State], None]:
    """An action that moves by `offset` steps within the recording."""

    def move(state: State) -> None:
        playback = played_back(state)
        if playback is not None:
            playback.playing, playback.seek = False, playback.position + offset

    return move
