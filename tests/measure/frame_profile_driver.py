"""Opens the real window, generates, and prints what a frame's time consists of as JSON.

Usage: `frame_profile_driver.py VIEW LECTURE SECONDS MODEL`, as for `frame_rate_driver.py`.
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import atlas_viewer.app.open_window as window
import atlas_viewer.app.viewer as viewer
from atlas_viewer.app.displays import Displays
from atlas_viewer.app.inspection_updater import InspectionUpdater
from atlas_viewer.app.run_controller import RunController
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

_WARM = 10.0  # seconds
_SAMPLE = 0.001  # seconds between two samples
_TOKENS = 64


class Phases:
    """The time spent in each phase, without the phases within it: on the clock, and of the main thread's processor."""

    def __init__(self) -> None:
        self.clock: Counter[str] = Counter()
        self.processor: Counter[str] = Counter()
        self.on = False
        self._within: list[list[float]] = []  # of each phase that has begun: the time of the phases within it

    def wrap(self, owner: Any, name: str, phase: str) -> None:
        """Count calls of the method `name` of `owner` as `phase`."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            clock, processor = time.perf_counter(), time.thread_time()
            self._within.append([0.0, 0.0])
            try:
                return method(*arguments, **options)
            finally:
                whole = time.perf_counter() - clock, time.thread_time() - processor
                within = self._within.pop()
                if self._within:
                    self._within[-1][0] += whole[0]
                    self._within[-1][1] += whole[1]
                if self.on:
                    self.clock[phase] += whole[0] - within[0]  # type: ignore[assignment]
                    self.processor[phase] += whole[1] - within[1]  # type: ignore[assignment]

        setattr(owner, name, timed)


class Samples:
    """The main thread's processor time by the file and function that it was spent in.

    A signal interrupts the thread at intervals. Its handler runs between two instructions of Python, so the time since
    the handler before, waits left out, belongs to what is running now: time inside a library to the caller of it.
    """

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.own: Counter[str] = Counter()  # by the innermost file of this program
        self.on = False
        self._before, self._inside = 0.0, False

    def begin(self) -> None:
        """Sample from now on."""
        self.on, self._before = True, time.thread_time()
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, _SAMPLE, _SAMPLE)

    def end(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.on = False

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        if not self.on or self._inside or frame is None:
            return
        self._inside = True
        spent = time.thread_time() - self._before
        file = _short(frame.f_code.co_filename)
        self.files[file] += spent  # type: ignore[assignment]
        self.functions[f"{file}:{frame.f_code.co_name}"] += spent  # type: ignore[assignment]
        outer: FrameType | None = frame
        while outer is not None and not _ours(outer.f_code.co_filename):
            outer = outer.f_back
        where = _short(outer.f_code.co_filename) if outer is not None else "everything else"
        self.own[where] += spent  # type: ignore[assignment]
        self._inside, self._before = False, time.thread_time()  # without the time of sampling itself


@functools.cache
def _ours(file: str) -> bool:
    path = Path(file).parts
    return "site-packages" not in path and ("atlas_viewer" in path or "compute" in path)


@functools.cache
def _short(file: str) -> str:
    """The part of a path that identifies a file."""
    parts = Path(file).parts
    for root in ("site-packages", "python3.11"):
        if root in parts:
            return "/".join(parts[parts.index(root) + 1 :])
    for root in ("atlas_viewer", "compute"):
        if root in parts:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(root) :])
    return parts[-1]


class ProfiledViewer(viewer.Viewer):
    """The viewer, closed when it has been measured."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._view, self._lecture, self._seconds = sys.argv[1], sys.argv[2] == "1", float(sys.argv[3])
        self._opened, self._first, self._tokens, self._before, self._first_tokens = 0.0, 0.0, 0, 0, 0
        self._measured = 0
        self._began = (0.0, 0.0)
        self.phases, self.samples = Phases(), Samples()
        wrap, context = self.phases.wrap, self.canvas.get_wgpu_context()
        wrap(RunController, "advance", "encoding the pass")
        wrap(Displays, "frame", "Strip, Map and others: updates")
        wrap(InspectionUpdater, "frame", "inspector: updates")
        wrap(self, "_panels", "panels")
        wrap(Displays, "draw", "Strip and Map: pictures")
        wrap(self._gui.backend, "render", "imgui's triangles: encoding")
        wrap(context, "get_current_texture", "waiting for the window's texture")
        wrap(viewer, "draw_frame", "imgui's frame: submitting")
        wrap(context, "_rc_present", "presenting")

    def frame(self) -> None:
        now = time.perf_counter()
        if not self._opened and (self._displays.pictures[1] is not None or self._view == "Atlas"):
            self._opened = now
            self.state.ui.front = self._view
            self.state.ui.lecture = self._lecture
        if self._opened and now > self._opened + _WARM and not self._first:
            self._first, self._first_tokens = now, self._written
            self.phases.on = True
            self._began = now, time.thread_time()
            self.samples.begin()
        super().frame()
        run = self.state.run
        if run is not None and run.done and self._opened:
            self._before += len(run.steps)
            self.state.generate()
        if not self._first:
            return
        self._measured += 1
        if now > self._first + self._seconds:
            self.samples.end()
            print(json.dumps(self._found()), flush=True)
            self.canvas.close()

    @property
    def _written(self) -> int:
        run = self.state.run
        return self._before + (len(run.steps) if run is not None and not run.done else 0)

    def _found(self) -> dict[str, Any]:
        frames = self._measured
        clock, processor = time.perf_counter() - self._began[0], time.thread_time() - self._began[1]
        by_phase = {
            phase: [1e3 * self.phases.clock[phase] / frames, 1e3 * self.phases.processor[phase] / frames]
            for phase in self.phases.clock
        }
        known = [sum(times) for times in zip(*by_phase.values(), strict=True)]
        by_phase["everything else"] = [1e3 * clock / frames - known[0], 1e3 * processor / frames - known[1]]
        return {
            "frames": frames,
            "frames_per_second": frames / clock,
            "tokens_per_second": (self._written - self._first_tokens) / clock,
            "frame": [1e3 * clock / frames, 1e3 * processor / frames],
            "phases": by_phase,
            **{
                name: {key: 1e3 * spent / frames for key, spent in counted.most_common(40)}
                for name, counted in (
                    ("own_files", self.samples.own),
                    ("files", self.samples.files),
                    ("functions", self.samples.functions),
                )
            },
        }


if __name__ == "__main__":
    window.Viewer = ProfiledViewer  # type: ignore[assignment, attr-defined]
    options = GenerateOptions(max_new_tokens=_TOKENS, temperature=0.0)
    window.view(open_model(sys.argv[4]), "Once upon a time, there was a", options, LoadOptions())
