"""Opens the real window, lets its Patching panel ablate every head and MLP, and prints what that costs as JSON.

Usage: `sweep_window_driver.py TOKENS`.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

import atlas_viewer.app.open_window as window
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.state import navigation
from atlas_viewer.state.patching_view import ABLATE
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

_TEXT = " park red Tom blue tree car small dog sun moon Lily saw"
_WARM = 4.0  # seconds


class SweepViewer(Viewer):
    """The viewer, closed when it has been measured."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened = self._started = 0.0
        self._marks: list[float] = []

    def frame(self) -> None:
        super().frame()
        now, state = time.perf_counter(), self.state
        view = state.patching
        self.canvas.request_draw()
        if not self._opened:
            if self._displays.pictures[1] is not None and state.run is not None and state.run.done:
                navigation.open_patching(state)
                view.section, view.target = ABLATE, " the"
                view.clean = (_TEXT * 50)[: 5 * int(sys.argv[1])]
                while view.clean and len(self.controller.model.tokenizer.encode(view.clean)) > int(sys.argv[1]):  # type: ignore[union-attr]
                    view.clean = view.clean[:-1]
                self._opened = now
        elif not self._started:
            if now > self._opened + _WARM and view.job is not None:
                view.start, self._started = True, now
        else:
            self._marks.append(now)
            if view.failure:
                raise RuntimeError(view.failure)
            if view.result is not None:
                print(json.dumps(self._found(now)), flush=True)
                self.canvas.close()

    def _found(self, now: float) -> dict[str, float]:
        between = sorted(after - before for before, after in itertools.pairwise(self._marks))
        result = self.state.patching.result
        assert result is not None
        return {
            "tokens": len(result.job.tokens[0]),
            "cells": result.values.size,
            "seconds": now - self._started,
            "frames_per_second": len(between) / sum(between),
            "frame_ms_median": 1e3 * between[len(between) // 2],
            "frame_ms_95_percent": 1e3 * between[int(0.95 * len(between))],
            "slowest_frame_ms": 1e3 * between[-1],
            "budget_ms": 1e3 * self._pace.budget,
        }


if __name__ == "__main__":
    window.Viewer = SweepViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=4, temperature=0.0)
    window.view(open_model("stories"), "Once upon a time", options, LoadOptions())
