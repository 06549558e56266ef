"""Opens the real window with Map in front and prints, as JSON, the processor seconds until its pictures are complete.

`frame` is the first frame, `strip` and `map` the first one with such a picture of three tokens that were written.
Each is read when the next frame begins, so that what the adapter does for a frame on the processor counts.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import atlas_viewer.app.open_window as window
from atlas_viewer.app.viewer import Viewer
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

TOKENS = 3


class TimedViewer(Viewer):
    """The viewer, closed when its first picture of the requested kind is complete."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._wanted = sys.argv[1]
        self._seconds: dict[str, float] = {}

    def frame(self) -> None:
        if self._frames == 1:
            self._seconds.setdefault("frame", time.process_time())
            if self._wanted == "map":
                self.state.ui.front = "Map"
        if self._there:
            self._seconds[self._wanted] = time.process_time()
            print(json.dumps(self._seconds), flush=True)
            self.canvas.close()
            return
        super().frame()
        if self._there:
            self.canvas.request_draw()

    @property
    def _there(self) -> bool:
        run = self.state.run
        strip, map_picture = self._displays.pictures
        picture = map_picture if self._wanted == "map" else strip
        complete = run is not None and len(run.steps) == TOKENS
        return complete and picture is not None and not self._displays.pending


if __name__ == "__main__":
    window.Viewer = TimedViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=TOKENS, temperature=0.0)
    window.view(open_model("stories"), "Once upon a time, there was a", options, LoadOptions())
