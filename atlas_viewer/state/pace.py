"""How long recent frames and tokens took, and what a graph of them shows. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .runs import Run

SPAN_S = 10.0
"""What a graph shows, in seconds up to now."""
BINS = 80
_BIN_S = SPAN_S / BINS
_CAPACITY = 4096  # durations: 10 s at 400 frames per second
_REFRESH_S = 0.25  # numbers that change in every frame cannot be read
_CLIPPED = 4.0  # medians; a single long frame must not flatten all others


@dataclass(frozen=True)
class TimeGraph:
    """The longest duration in each part of the last `SPAN_S` seconds, oldest first, and the numbers beside it.

    heights: 0 to 1, for each of `BINS` parts; 0 where there was none. All in ms: median, slowest, and top, which is
    height 1. Longer ones are cut there.
    """

    heights: tuple[float, ...]
    median: float
    slowest: float
    top: float


class Times:
    """Durations with the time at which each ended, in a ring: adding one costs the same however many there are."""

    def __init__(self) -> None:
        self._ends = np.full(_CAPACITY, -np.inf)
        self._ms = np.zeros(_CAPACITY)
        self._next = 0

    def add(self, end: float, seconds: float) -> None:
        """Add a duration that ended at `end`, in seconds of any clock."""
        self._ends[self._next], self._ms[self._next] = end, 1e3 * seconds
        self._next = (self._next + 1) % _CAPACITY

    def graph(self, now: float) -> TimeGraph | None:
        """The graph up to `now`; None if nothing ended in it."""
        last = int(now / _BIN_S)  # parts begin at whole multiples, so that they keep their heights as they move
        index = BINS - 1 - (last - np.floor(self._ends / _BIN_S))
        recent = (index >= 0) & (index < BINS)
        times = self._ms[recent]
        if not times.size:
            return None
        longest = np.zeros(BINS)
        np.maximum.at(longest, index[recent].astype(int), times)
        median, slowest = float(np.median(times)), float(times.max())
        top = max(min(1.05 * slowest, _CLIPPED * median), 1e-6)
        return TimeGraph(tuple(np.minimum(longest / top, 1.0).tolist()), median, slowest, top)


@dataclass
class Pace:
    """The times of frames, and those from one token to the next; graphs of both, refreshed a few times per second."""

    frames: TimeGraph | None = None
    tokens: TimeGraph | None = None
    _frames: Times = field(default_factory=Times)
    _tokens: Times = field(default_factory=Times)
    _refreshed: float = -np.inf
    _run: int | None = None  # number of the run that is being written
    _count: int = 0  # its tokens in the frame before
    _token_at: float = 0.0  # when the latest of them arrived

    def frame(self, now: float, interval: float, run: Run | None) -> None:
        """Record a frame. interval: seconds since the previous one, 0 after a pause.

        run: the one that is being written; None when there is none.
        """
        if interval > 0:
            self._frames.add(now, interval)
        if run is None or run.number != self._run or len(run.steps) < self._count:
            self._run, self._count = None if run is None else run.number, 0
        if run is not None and len(run.steps) > self._count:
            if self._count:  # the first token ends the prompt's pass
                self._tokens.add(now, (now - self._token_at) / (len(run.steps) - self._count))
            self._count, self._token_at = len(run.steps), now
        if now - self._refreshed >= _REFRESH_S:
            self._refreshed = now
            self.frames, self.tokens = self._frames.graph(now), self._tokens.graph(now)
