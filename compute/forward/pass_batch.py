"""Passes that are submitted together, in slices that fit a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Readback

from .engine import Engine
from .pass_plan import Pass, Segment


@dataclass(frozen=True)
class Slice:
    """Consecutive dispatches of one segment, to be submitted next."""

    state: bytes | None  # written by the host before them; None to keep the current one
    dispatches: Sequence[Dispatch]
    seconds: float  # predicted GPU time
    completes: Pass | None  # the pass whose last dispatch is among them


class PassBatch:
    """Passes of an engine, how much of them has been submitted, and the readback of their results."""

    def __init__(self, plans: list[Pass], first_step: int) -> None:
        """plans: may grow until the first slice is submitted; first_step: index of the step of the first pass."""
        self.plans, self.first_step = plans, first_step
        self.started = 0.0  # by `time.perf_counter`, in seconds; 0 before the first slice
        self.submitted = 0  # passes that are submitted completely
        self.readback: Readback | None = None
        self._segment = self._dispatch = 0  # next: index among all segments, and within its segment

    @property
    def _segments(self) -> list[tuple[Pass, Segment]]:
        return [(plan, segment) for plan in self.plans for segment in plan.segments]

    @property
    def encoded(self) -> bool:
        """True when nothing is left to submit."""
        return self._segment == len(self._segments)

    @property
    def progress(self) -> float:
        """The fraction that has been submitted, 0 to 1."""
        segments = self._segments
        if self.encoded:
            return 1.0
        fraction = self._dispatch / len(segments[self._segment][1].dispatches)
        return (self._segment + fraction) / len(segments)

    @property
    def pass_complete(self) -> bool:
        """True unless a pass that rewrites every row of the context is partly submitted."""
        if self.submitted == len(self.plans) or not (self._segment or self._dispatch):
            return True
        return self.plans[self.submitted].cached

    def submit(
        self, engine: Engine, budget_s: float, append_results: Callable[[ComputeEncoder], None] | None = None
    ) -> float:
        """Submit dispatches that take about `budget_s` seconds of GPU time, at least one; returns predicted seconds.

        All of them are one submission, but a new one begins where the host has to write the state in between, and the
        first pass over a text begins while it is being encoded.
        append_results: appends the copies of the results to the submission that ends the last pass.
        """
        if self.started == 0.0:
            self.started = time.perf_counter()
        work: list[Dispatch] = []
        spent, early = 0.0, False
        for part in self._slices(budget_s):
            if part.state is not None:
                _submit(engine, work, early=early)
                work, early = [], True
                engine.write_state(part.state)
            work += part.dispatches
            spent += part.seconds
            if part.completes is not None:
                engine.completed(part.completes)
        _submit(engine, work, append_results if self.encoded else None, early=early)
        return spent

    def _slices(self, budget_s: float) -> Iterator[Slice]:
        """Slices that fit the budget, in seconds of GPU time, in the order in which they must be submitted."""
        segments, spent = self._segments, 0.0
        while self._segment < len(segments) and (spent < budget_s or not spent):
            plan, segment = segments[self._segment]
            rate, first, before = segment.seconds / segment.cost, self._dispatch, spent
            if first == 0 and spent + segment.seconds <= budget_s:
                spent += segment.seconds
                self._dispatch = len(segment.dispatches)
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


def _submit(
    engine: Engine, work: list[Dispatch], append: Callable[[ComputeEncoder], None] | None = None, *, early: bool
) -> None:
    if not work:
        return
    encoder = ComputeEncoder(engine.device)
    encoder.run(work, early=early)
    if append is not None:
        append(encoder)
    encoder.submit()
