"""The window's own recordings: of its runs as a session, and of itself as a video."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from atlas_viewer.recording.live_recording import LiveRecording
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.requests import EndRecording, EndVideo, OpenRecording, Record, RecordVideo, Request
from atlas_viewer.state.state import State

from .recording_windows import RecordingWindows
from .screenshot import FrameReadback
from .window_video import WindowVideo


class RecordingControls:
    """Turns both on and off as is asked, and has them follow every frame."""

    def __init__(self, state: State, picture: Callable[[], FrameReadback]) -> None:
        """picture: of the frame that has been drawn."""
        self._recording, self._video = LiveRecording(state), WindowVideo(state, picture)
        self._windows = RecordingWindows()

    @property
    def pending(self) -> bool:
        """True while frames have to go on."""
        return self._recording.pending or self._video.pending

    def do(self, model: ModelLike, request: Request) -> bool:
        """Do what is asked if it is about recordings, and note it otherwise. Raises `AtlasError`s."""
        match request:
            case Record():
                self._recording.start(model, request)
            case EndRecording():
                self._recording.stop()
            case RecordVideo(path):
                self._video.start(path, time.perf_counter())
            case EndVideo():
                self._video.stop()
            case OpenRecording(path):
                self._windows.open(Path(path))
            case _:
                self._recording.asked(request)
                return False
        return True

    def end_recording(self) -> None:
        """The model that is recorded is about to go."""
        self._recording.stop()

    def frame(self, now: float) -> None:
        """A frame has been drawn."""
        self._recording.frame(now)
        self._video.frame(now)

    def close(self) -> None:
        """The window has closed: finish both files. Blocks."""
        self._recording.close()
        self._video.close()
