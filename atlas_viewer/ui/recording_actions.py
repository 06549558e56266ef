"""What can be done about recordings: begun, ended, played, as functions of the state."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.requests import EndRecording, EndVideo, Record, RecordVideo
from atlas_viewer.state.state import State


def record(state: State) -> None:
    """Begin to record runs, or end it."""
    told = state.recording.recorder
    state.requests.append(EndRecording() if told.on else Record(told.path, told.logits, told.statistics))
    state.ui.hidden.discard("Session")


def record_video(state: State) -> None:
    """Begin to record the window, or end it."""
    told = state.recording.video
    state.requests.append(EndVideo() if told.stage else RecordVideo(told.path))


def played_back(state: State) -> PlaybackState | None:
    """The recording that is played back, None when there is none or it was left for a run of its own."""
    playback = state.recording.playback
    return playback if playback is not None and not playback.left else None


def is_played_back(state: State) -> bool:
    """True while a recording is played back."""
    return played_back(state) is not None


def play_back(state: State) -> None:
    """Play the recording, from its beginning when it is at its end, or hold it."""
    playback = played_back(state)
    if playback is not None:
        playback.playing = not playback.playing
        if playback.playing and playback.position == playback.count:
            playback.seek = 1


def seek(offset: int) -> Callable[[State], None]:
    """Show so many steps more of the recording."""

    def move(state: State) -> None:
        playback = played_back(state)
        if playback is not None:
            playback.playing, playback.seek = False, playback.position + offset

    return move
