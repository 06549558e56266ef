"""Keeps the inspection up to date: asks the observer for what is looked at, and takes in what has arrived."""

from __future__ import annotations

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.protocols import TensorReaderLike
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex

# Seconds between two statistics of a run in progress: while they are on screen, and otherwise for the alarm.
_SHOWN_EVERY, _ALARM_EVERY = 0.25, 1.0


class InspectionUpdater:
    """Ties an observer to the state. Nothing here waits for the GPU."""

    def __init__(self, tensor_reader: TensorReaderLike, state: State) -> None:
        self.tensor_reader, self._inspection = tensor_reader, state.inspection
        self._state = state
        self._asked: tuple[TensorIndex, ...] = ()
        self._news = self._statistics_news = False
        self._measured_at = 0.0
        self._settled = False
        self._mapping: ColorMapping | None = None
        self._traced = False
        state.edges, state.palettes = tensor_reader.edges, tensor_reader.palettes

    @property
    def pending(self) -> bool:
        """True while something is on its way or is to be asked for, so that frames go on."""
        return self.tensor_reader.pending or (self._settled and self._inspection.watched != self._asked)

    def mapping_changed(self) -> bool:
        """Hand a new look on; True when the atlas has to be painted anew."""
        mapping = self._inspection.mapping
        if mapping == self._mapping:
            return False
        self._mapping = mapping
        self.tensor_reader.set_color_mapping(mapping)
        return True

    def passed(self) -> None:
        """There is a new pass."""
        self._news = self._statistics_news = True

    def painted(self) -> None:
        """The atlas shows the latest pass, and so does what is known of tensors."""
        inspection, tensor_reader = self._inspection, self.tensor_reader
        inspection.layout = tensor_reader.layout
        inspection.rows, inspection.first_position = tensor_reader.rows, tensor_reader.first_position
        inspection.tensors = tensor_reader.tensors()

    def frame(self, now: float, pass_complete: bool, done: bool) -> None:
        """Take in what has arrived; ask for what is looked at, when the tensors are of one whole pass."""
        values, statistics = self.tensor_reader.poll()
        if values:
            self._take_values()
        inspection = self._inspection
        if statistics:
            inspection.statistics, inspection.bad = self.tensor_reader.statistics, self.tensor_reader.first_bad
            self._traced = False
        if inspection.trace_on and inspection.statistics and not (self._traced and inspection.trace):
            inspection.trace, self._traced = self.tensor_reader.trace(), True
        self._settled = pass_complete and bool(inspection.tensors)
        if not self._settled:
            return
        watched = inspection.watched
        if watched != self._asked or (self._news and watched):
            self.tensor_reader.ask_values(watched)
            self._asked = watched
        self._news = False
        shown = inspection.list_visible or inspection.trace_on
        due = done or now - self._measured_at >= (_SHOWN_EVERY if shown else _ALARM_EVERY)
        if self._statistics_news and due:
            self.tensor_reader.ask_statistics()
            self._statistics_news, self._measured_at = False, now

    def _take_values(self) -> None:
        inspection, run = self._inspection, self._state.run
        found = self.tensor_reader.probed_values
        inspection.probed_values.clear()
        inspection.probed_values.update(found)
        # Not the row of the pass: that stays the same once the window is full.
        step = len(run.steps) if run else 0
        for pin in inspection.pins:
            if pin.element in found:
                pin.follow(step, found[pin.element].value)
