"""Passes on their way to the GPU together, submitted in slices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compute.gpu.wgpu_native import Dispatch, Readback

from .pass_plan import Pass, Segment


@dataclass(frozen=True)
class Slice:
    """Dispatches of one segment that are to be submitted next."""

    state: bytes | None  # what the host writes before them
    dispatches: Sequence[Dispatch]
    seconds: float  # predicted GPU time
    completes: Pass | None  # the pass that is whole with them


class PassBatch:
    """What is left to submit of some passes, and where their results will arrive."""

    def __init__(self, plans: list[Pass], first_step: int) -> None:
        """plans: may grow until the first part is taken; first_step: index of the step that the first of them makes."""
        self.plans, self.first_step = plans, first_step
        self.started = 0.0  # by the clock, in seconds; 0 before
        self.submitted = 0  # whole passes
        self.readback: Readback | None = None
        self._segment = self._dispatch = 0  # the next: its place among all segments, and within its segment

    @property
    def _segments(self) -> list[tuple[Pass, Segment]]:
        return [(plan, segment) for plan in self.plans for segment in plan.segments]

    @property
    def encoded(self) -> bool:
        """True when nothing is left to submit."""
        return self._segment == len(self._segments)

    @property
    def progress(self) -> float:
        """How much has been submitted, 0 to 1."""
        segments = self._segments
        if self.encoded:
            return 1.0
        inside = self._dispatch / len(segments[self._segment][1].dispatches)
        return (self._segment + inside) / len(segments)

    @property
    def pass_complete(self) -> bool:
        """True unless a pass that rewrites the window is partly submitted."""
        if self.submitted == len(self.plans) or not (self._segment or self._dispatch):
            return True
        return self.plans[self.submitted].cached

    def parts(self, budget_s: float) -> Iterator[Slice]:
        """Take what fits the budget, in seconds of GPU time, at least one dispatch; submit it in this order."""
        if self.started == 0.0:
            self.started = time.perf_counter()
        segments, spent = self._segments, 0.0
        while self._segment < len(segments) and (spent < budget_s or not spent):
            plan, segment = segments[self._segment]
            rate, first, before = segment.seconds / segment.cost, self._dispatch, spent
            while self._dispatch < len(segment.dispatches) and (spent < budget_s or not spent):
                spent += rate * segment.dispatches[self._dispatch].cost
                self._dispatch += 1
            dispatches = segment.dispatches[first : self._dispatch]
            completes = None
            if self._dispatch == len(segment.dispatches):
                self._segment, self._dispatch = self._segment + 1, 0
                if segment is plan.segments[-1]:
                    self.submitted += 1
                    completes = plan
            yield Slice(segment.state if first == 0 else None, dispatches, spent - before, completes)
