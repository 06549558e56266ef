"""Pictures of a recorded run, offscreen: the model runs over the recorded tokens, the window's own code draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from atlas_viewer.camera import View
from atlas_viewer.map_picture import MapPicture
from atlas_viewer.render import Picture, WindowPicture
from atlas_viewer.workbench import Workbench

from .cameras import CameraAt
from .playback import RecordedRun


class RunPictures:
    """Pictures of size (width, height) of the steps of a run."""

    def __init__(
        self,
        bench: Workbench,
        run: RecordedRun,
        size: tuple[int, int],
        camera: CameraAt,
        *,
        panels: bool,
        maps: MapPicture | None = None,
    ) -> None:
        """panels: the whole window, otherwise the atlas alone; maps: draws the map instead, from a place of its own."""
        self.bench, self.run = bench, run
        self._records = [step.record for step in run.all_steps]
        self._replay = bench.replay(run.prompt_texts, self._records, run.options)
        self._camera = camera
        self._picture = WindowPicture(bench, size) if panels else None
        self._strip = None if panels or maps is not None else Picture(bench, size)
        self._maps = maps
        self._at: int | None = None
        self._last: tuple[tuple[int, View], np.ndarray] | None = None  # what was drawn last, and of what

    def frame(self, step: int, part: float = 0.0) -> np.ndarray:
        """Step `step` (from 0), `part` (0 to 1) of the way to the next one's time: uint8 [height, width, 4]. Blocks."""
        steps = self.run.all_steps
        if self._at != step:
            if self._replay.text.options != steps[step].options:
                self._replay = self.bench.replay(self.run.prompt_texts, self._records, steps[step].options)
            self._replay.go(step)
            while self.bench.paint():
                pass
            self._at = step
            self.run.show(step + 1)
        time = steps[step].time
        if step + 1 < len(steps):
            time += part * max(steps[step + 1].time - time, 0.0)
        camera = self._camera(time)
        key = step, View(0, 0, 0, 0) if self._maps is not None else camera.view
        if self._last is None or self._last[0] != key:
            if self._maps is not None:
                image = self._maps.pixels(self.run)
            elif self._picture is not None:
                image = self._picture.pixels(self.run, self.run.info.prompt, camera)
            else:
                assert self._strip is not None
                image = self._strip.pixels(camera)
            self._last = key, image
        return self._last[1]

    def frames(self, count: int, per_step: int) -> Iterator[np.ndarray]:
        """`per_step` frames of each of the first `count` steps, by their number alone: no clock is asked."""
        for number in range(count * per_step):
            step, part = divmod(number, per_step)
            yield self.frame(step, part / per_step)

    def close(self) -> None:
        """Give up the canvas."""
        if self._picture is not None:
            self._picture.close()
