"""Controls what the window records: its runs as a recording, and itself as a video."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from atlas_viewer.recording.live_recording import LiveRecording
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.requests import EndRecording, EndVideo, OpenRecordingWindow, Record, RecordVideo, Request
from atlas_viewer.state.state import State

from .recording_windows import RecordingWindows
from .screenshot import FrameReadback
from .window_video import WindowVideo


class RecordingControls:
    """Starts and stops the recording and the video on request, and passes every frame on to them."""

    def __init__(self, state: State, picture: Callable[[], FrameReadback]) -> None:
        """picture: starts the readback of the frame just drawn."""
        self._recording, self._video = LiveRecording(state), WindowVideo(state, picture)
        self._windows = RecordingWindows()

    @property
    def pending(self) -> bool:
        """True while more frames must be drawn."""
        return self._recording.pending or self._video.pending

    def do(self, model: ModelLike, request: Request) -> bool:
        """Handle `request` and return True if it is about recordings; otherwise record it and return False.

        Raises `AtlasError`s.
        """
        match request:
            case Record():
                self._recording.start(model, request)
            case EndRecording():
                self._recording.stop()
            case RecordVideo(path):
                self._video.start(path, time.perf_counter())
            case EndVideo():
                self._video.stop()
            case OpenRecordingWindow(path):
                self._windows.open(Path(path))
            case _:
                self._recording.asked(request)
                return False
        return True

    def end_recording(self) -> None:
        """End the recording, because the model is about to be replaced."""
        self._recording.stop()

    def frame(self, now: float) -> None:
        """Pass on the frame just drawn."""
        self._recording.frame(now)
        self._video.frame(now)

    def close(self) -> None:
        """Complete both files after the window has closed. Blocks."""
        self._recording.close()
        self._video.close()
