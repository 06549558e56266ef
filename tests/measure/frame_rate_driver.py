"""Opens the real window, generates, and prints its frame rate as JSON.

Usage: `frame_rate_driver.py VIEW LECTURE SECONDS MODEL`: VIEW is Map, Atlas (Strip) or another panel to bring to the
front; LECTURE is 1 for lecture mode. Measured from ten seconds after the first picture of the map on.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

import atlas_viewer.app.open_window as window
from atlas_viewer.app.viewer import Viewer
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

_WARM = 10.0  # seconds
TOKENS = 64  # of a run, as by default; then the next one begins


class TimedViewer(Viewer):
    """The viewer, closed when it has been measured."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._view, self._lecture, self._seconds = sys.argv[1], sys.argv[2] == "1", float(sys.argv[3])
        self._opened: float | None = None
        self._marks: list[tuple[float, int, int]] = []  # of each frame: time, tokens, updates of the map
        self._processor = 0.0
        self._tokens = 0

    def frame(self) -> None:
        now = time.perf_counter()
        if self._opened is None and self._displays.pictures[1] is not None:
            self._opened = now
            self.state.ui.front = self._view
            self.state.ui.lecture = self._lecture
        super().frame()
        run = self.state.run
        if run is not None and run.done and self._opened is not None:
            self._tokens += len(run.steps)
            self.state.generate()
        if self._opened is None or now < self._opened + _WARM:
            return
        if not self._marks:
            self._processor = time.process_time()
        written = self._tokens + (len(run.steps) if run is not None and not run.done else 0)
        self._marks.append((now, written, self._displays._map._updates))
        if now > self._marks[0][0] + self._seconds:
            print(json.dumps(self._found()), flush=True)
            self.canvas.close()

    def _found(self) -> dict[str, float]:
        (first, tokens, updates), (last, tokens_after, updates_after) = self._marks[0], self._marks[-1]
        seconds, times = last - first, [mark[0] for mark in self._marks]
        between = sorted(after - before for before, after in itertools.pairwise(times))
        return {
            "frames_per_second": (len(times) - 1) / seconds,
            "tokens_per_second": (tokens_after - tokens) / seconds,
            "map_updates_per_second": (updates_after - updates) / seconds,
            "frame_ms_99_percent": 1e3 * between[int(0.99 * len(between))],
            "slowest_frame_ms": 1e3 * between[-1],
            "processor_ms_per_frame": 1e3 * (time.process_time() - self._processor) / len(between),
        }


if __name__ == "__main__":
    window.Viewer = TimedViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=TOKENS, temperature=0.0)
    window.view(open_model(sys.argv[4]), "Once upon a time, there was a", options, LoadOptions())
