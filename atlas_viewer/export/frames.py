"""Offscreen pictures of a recorded run: the model replays the recorded tokens, and the window's code draws them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from atlas_viewer.recording.cameras import CameraAt, ViewportAt
from atlas_viewer.recording.playback import RecordedRun
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.camera import StripCamera, View
from atlas_viewer.state.map_viewport import MapViewport

from .map_picture import MapPicture
from .render import MapStart, Picture, WindowPicture


@dataclass(frozen=True)
class MapTrack:
    """Shows Map instead of Strip: its viewport by recording time, or where it starts if there is none."""

    at: ViewportAt
    start: MapStart


class RunPictures:
    """Pictures of a run's steps; `size` is (width, height) in pixels."""

    def __init__(
        self,
        runner: ModelRunner,
        run: RecordedRun,
        size: tuple[int, int],
        camera: CameraAt,
        *,
        panels: bool,
        maps: MapTrack | None = None,
    ) -> None:
        """panels: draw the whole window instead of just Strip or Map; maps: if given, show Map instead of Strip."""
        self.runner, self.run = runner, run
        self._records = [step.record for step in run.all_steps]
        self._edits = run.edits_at(0)  # of the replay
        self._replay = runner.replay(run.prompt_texts, self._records, run.options, self._edits)
        self._camera = camera
        self._viewport: ViewportAt = maps.at if maps is not None else lambda _: None
        self._picture = _picture(runner, run, size, panels, maps)
        self._at: int | None = None
        # The latest picture, with the values it depends on.
        self._last: tuple[tuple[int, View | None, MapViewport | None], np.ndarray] | None = None
        self._shows_strip = maps is None

    def frame(self, step: int, part: float = 0.0) -> np.ndarray:
        """Step `step` (from 0), at fraction `part` of the time until the next: uint8 [height, width, 4]. Blocks."""
        steps = self.run.all_steps
        if self._at != step:
            edits = self.run.edits_at(step)
            if self._replay.text.options != steps[step].options or edits is not self._edits:
                texts, options, self._edits = self.run.prompt_texts, steps[step].options, edits
                self._replay = self.runner.replay(texts, self._records, options, edits)
            self._replay.go(step)
            while self.runner.paint():
                pass
            self._at = step
            self.run.show(step + 1)
        time = steps[step].time
        if step + 1 < len(steps):
            time += part * max(steps[step + 1].time - time, 0.0)
        camera, viewport = self._camera(time), self._viewport(time)
        key = step, camera.view if self._shows_strip else None, viewport
        if self._last is None or self._last[0] != key:
            self._last = key, self._draw(camera, viewport)
        return self._last[1]

    def _draw(self, camera: StripCamera, viewport: MapViewport | None) -> np.ndarray:
        match self._picture:
            case Picture():
                return self._picture.pixels(camera)
            case MapPicture():
                return self._picture.pixels(self.run, viewport)
            case WindowPicture():
                return self._picture.pixels(self.run, self.run.info.prompt, camera, viewport)

    def frames(self, count: int, per_step: int) -> Iterator[np.ndarray]:
        """`per_step` frames for each of the first `count` steps. They depend only on their number, not on a clock."""
        for number in range(count * per_step):
            step, part = divmod(number, per_step)
            yield self.frame(step, part / per_step)

    def close(self) -> None:
        """Close the canvas."""
        if isinstance(self._picture, WindowPicture):
            self._picture.close()


def _picture(
    runner: ModelRunner, run: RecordedRun, size: tuple[int, int], panels: bool, maps: MapTrack | None
) -> Picture | MapPicture | WindowPicture:
    if panels:
        return WindowPicture(runner, size, start=maps.start if maps is not None else None)
    if maps is None:
        return Picture(runner.strip, size)
    context = max(step.record.context_length for step in run.all_steps)
    return MapPicture(runner, size, context, maps.start.zoom, maps.start.center)
