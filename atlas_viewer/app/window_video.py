"""A video of the window: frames are encoded in a separate thread, and dropped if it cannot keep up."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from atlas_viewer.media.video import Encoder, check_suffix, encoder_failures
from atlas_viewer.state.state import State
from compute.errors import AtlasError, OutputError
from compute.io.escape import one_line
from compute.io.output_files import free_name, new_path

from .screenshot import FrameReadback

FPS = 30  # maximum: a frame lasts until the next one is drawn
_TICKS = 100  # time units per 1 / FPS seconds
_MAX_IN_FLIGHT = 3  # readbacks
_MAX_WAITING = 4  # pictures for the encoder


class WindowVideo:
    """Records the window: `frame` only copies a picture; a thread does the rest.

    Reports its status in `state.recording.video`.
    """

    def __init__(self, state: State, picture: Callable[[], FrameReadback]) -> None:
        """picture: starts the readback of the frame just drawn."""
        self._state, self._status, self._picture = state, state.recording.video, picture
        self._pictures: list[tuple[float, FrameReadback]] = []  # each with the time when it was drawn
        self._queue: queue.Queue[tuple[int, np.ndarray, str] | None] = queue.Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._began = self._last = 0.0
        self._failure = ""
        if state.live:
            self._status.path = free_name("window", ".mp4")

    @property
    def pending(self) -> bool:
        """True while the video needs more frames to be drawn."""
        return bool(self._pictures) or self._status.stage == "finishing"

    def start(self, path: str, now: float) -> None:
        """Start recording with the next frame. Raises `AtlasError`s."""
        status = self._status
        if status.stage:
            return
        target = Path(path)
        check_suffix(target)
        if os.path.lexists(target):
            status.path = free_name("window", target.suffix)
            raise OutputError(
                f"{one_line(path)}: already exists, and a video never replaces a file; choose another name"
            )
        status.path, status.stage, status.trouble, status.note = path, "recording", "", ""
        status.frames = status.dropped = 0
        self._failure, self._began, self._last = "", now, now - 1
        self._queue = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._write, args=(target, self._queue), name="video", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Record no further frames, and complete the file."""
        if self._status.stage == "recording":
            self._status.stage = "finishing"

    def frame(self, now: float) -> None:
        """Record the frame just drawn, and pass on pictures that have arrived."""
        status = self._status
        if self._thread is None:
            return
        if status.stage == "recording" and now - self._last >= 0.9 / FPS:
            if len(self._pictures) < _MAX_IN_FLIGHT:
                self._pictures.append((now, self._picture()))
            else:
                status.dropped += 1
            self._last = now
        while self._pictures:
            at, picture = self._pictures[0]
            pixels = picture.take_raw()
            if pixels is None:
                break
            self._pictures.pop(0)
            try:
                self._queue.put_nowait((round((at - self._began) * FPS * _TICKS), pixels, picture.order))
            except queue.Full:
                status.dropped += 1
        if not self._thread.is_alive():
            self._ended()
        elif status.stage == "finishing" and not self._pictures and not self._queue.full():
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Complete the file after the window has closed. Blocks."""
        if self._thread is not None:
            while self._thread.is_alive():
                try:
                    self._queue.put(None, timeout=0.1)
                except queue.Full:
                    continue
                self._thread.join()
            self._ended()

    def _ended(self) -> None:
        status = self._status
        self._thread, status.stage, status.trouble = None, "", self._failure
        self._pictures.clear()
        if self._failure:
            self._state.messages.append(self._failure)
        else:
            status.note = f"{status.frames} frames in {one_line(status.path)}"
        status.path = free_name("window", Path(status.path).suffix)

    # -- in the thread

    def _write(self, path: Path, waiting: queue.Queue[tuple[int, np.ndarray, str] | None]) -> None:
        try:
            with new_path(path, lambda: self._another_name(path)) as temporary, encoder_failures(path):
                self._encode(temporary, path.suffix, waiting)
        except (AtlasError, OSError) as error:
            self._failure = str(error)

    def _another_name(self, path: Path) -> Path:
        """The next free name beside `path`, for when another program has created that file since the video began."""
        stem = path.stem.rstrip("0123456789-") or "window"
        self._status.path = free_name(str(path.with_name(stem)), path.suffix)
        return Path(self._status.path)

    def _encode(self, path: Path, suffix: str, waiting: queue.Queue[tuple[int, np.ndarray, str] | None]) -> None:
        encoder: Encoder | None = None
        last: tuple[int, np.ndarray, str] | None = None
        try:
            while (entry := waiting.get()) is not None:
                at, image, order = entry
                if encoder is None:
                    # Encoders need even sizes; if the window is resized, its frames are scaled to this size.
                    size = max(image.shape[1] // 2 * 2, 2), max(image.shape[0] // 2 * 2, 2)
                    encoder = Encoder(path, suffix, size, FPS, ticks=_TICKS, live=True)
                encoder.add(image, at, order)
                last = entry
                self._status.frames += 1
            if encoder is None:
                raise OutputError(f"{one_line(self._status.path)}: no frame was drawn, so there is no video")
            if last is not None:
                # The window has not changed since its last frame, but without a copy of it the video would end there.
                end = round((time.perf_counter() - self._began) * FPS * _TICKS)
                encoder.add(last[1], max(end, last[0] + 1), last[2])
        finally:
            if encoder is not None:
                encoder.close()
