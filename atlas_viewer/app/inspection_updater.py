"""Keeps the inspection up to date: asks the observer for what is looked at, and takes in what has arrived."""

from __future__ import annotations

import functools

from atlas_viewer.state.color_mapping import Look
from atlas_viewer.state.inspection import Spot
from atlas_viewer.state.protocols import ObserverLike
from atlas_viewer.state.state import State

# Seconds between two statistics of a run in progress: while they are on screen, and otherwise for the alarm.
_SHOWN_EVERY, _ALARM_EVERY = 0.25, 1.0


class Watch:
    """Ties an observer to the state. Nothing here waits for the GPU."""

    def __init__(self, observer: ObserverLike, state: State) -> None:
        self.observer, self._inspection = observer, state.inspection
        self._state = state
        self._asked: tuple[Spot, ...] = ()
        self._news = self._statistics_news = False
        self._measured_at = 0.0
        self._settled = False
        self._look: Look | None = None
        self._traced = False
        state.edges, state.palettes = observer.edges, observer.palettes

    @property
    def pending(self) -> bool:
        """True while something is on its way or is to be asked for, so that frames go on."""
        return self.observer.pending or (self._settled and self._inspection.watched != self._asked)

    def look_changed(self) -> bool:
        """Hand a new look on; True when the atlas has to be painted anew."""
        look = self._inspection.look
        if look == self._look:
            return False
        self._look = look
        self.observer.set_look(look)
        self._state.ramp = functools.partial(self.observer.ramp, look.palette)
        return True

    def passed(self) -> None:
        """There is a new pass."""
        self._news = self._statistics_news = True

    def painted(self) -> None:
        """The atlas shows the latest pass, and so does what is known of tensors."""
        inspection, observer = self._inspection, self.observer
        inspection.layout = observer.layout
        inspection.rows, inspection.first_position = observer.rows, observer.first_position
        inspection.tensors = observer.tensors()

    def frame(self, now: float, settled: bool, done: bool) -> None:
        """Take in what has arrived; ask for what is looked at, when the tensors are of one whole pass."""
        values, statistics = self.observer.poll()
        if values:
            self._take_values()
        inspection = self._inspection
        if statistics:
            inspection.statistics, inspection.bad = self.observer.statistics, self.observer.first_bad
            self._traced = False
        if inspection.trace_on and inspection.statistics and not (self._traced and inspection.trace):
            inspection.trace, self._traced = self.observer.trace(), True
        self._settled = settled and bool(inspection.tensors)
        if not self._settled:
            return
        watched = inspection.watched
        if watched != self._asked or (self._news and watched):
            self.observer.ask_values(watched)
            self._asked = watched
        self._news = False
        shown = inspection.list_visible or inspection.trace_on
        due = done or now - self._measured_at >= (_SHOWN_EVERY if shown else _ALARM_EVERY)
        if self._statistics_news and due:
            self.observer.ask_statistics()
            self._statistics_news, self._measured_at = False, now

    def _take_values(self) -> None:
        inspection, run = self._inspection, self._state.run
        found = self.observer.readings
        inspection.readings.clear()
        inspection.readings.update(found)
        # Not the row of the pass: that stays the same once the window is full.
        step = len(run.steps) if run else 0
        for pin in inspection.pins:
            if pin.spot in found:
                pin.follow(step, found[pin.spot].value)
