"""Keeps the inspection up to date: requests what panels show from the tensor reader, and stores what arrives."""

from __future__ import annotations

from collections.abc import Mapping

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue
from atlas_viewer.state.reader_protocols import TensorReaderLike
from atlas_viewer.state.state import State
from atlas_viewer.state.view_colors import view_colors
from compute.models.tensor_index import TensorIndex

from .formula_updater import FormulaUpdater

# Seconds between statistics readbacks during a run: when a panel shows them, and when only the alarm needs them.
_SHOWN_EVERY, _ALARM_EVERY = 0.25, 1.0


class InspectionUpdater:
    """Connects a tensor reader to the state. Nothing here waits for the GPU."""

    def __init__(self, tensor_reader: TensorReaderLike, state: State) -> None:
        self.tensor_reader, self._inspection = tensor_reader, state.inspection
        self._state = state
        self._asked: tuple[TensorIndex, ...] = ()
        self._new_pass = self._statistics_due = False
        self._measured_at = 0.0
        self._settled = False
        self._mapping: ColorMapping | None = None
        self._traced = False
        self._formulas = FormulaUpdater(tensor_reader.values.formulas if tensor_reader.values else None, state)
        state.edges, state.palettes = tensor_reader.edges, tensor_reader.palettes

    @property
    def pending(self) -> bool:
        """True while a readback is in flight or must be requested, so that more frames are drawn."""
        if self._formulas.pending:
            return True
        return self.tensor_reader.pending or (self._settled and self._inspection.watched != self._asked)

    @property
    def preparing(self) -> bool:
        """True while kernels are being compiled that panels will need."""
        return self._formulas.preparing

    def mapping_changed(self) -> bool:
        """Pass on a changed color mapping; return True if the strip must be repainted."""
        mapping = view_colors(self._state)
        if mapping == self._mapping:
            return False
        self._mapping = mapping
        if self.tensor_reader.values is not None:
            self.tensor_reader.values.set_color_mapping(mapping)
        return True

    def passed(self) -> None:
        """Take note that a new pass is complete."""
        self._new_pass = self._statistics_due = True
        self._formulas.passed()

    def painted(self) -> None:
        """Adopt the layout of the newly painted strip and the tensors of its pass."""
        inspection, tensor_reader = self._inspection, self.tensor_reader
        if tensor_reader.values is not None:
            inspection.layout = tensor_reader.values.layout
        inspection.rows, inspection.first_position = tensor_reader.rows, tensor_reader.first_position
        inspection.tensors = tensor_reader.tensors()

    def frame(self, now: float, pass_complete: bool, done: bool) -> None:
        """Store what has arrived; request what panels show if the tensors belong to one whole pass.

        now: in seconds; pass_complete: whether the tensors belong to one whole pass; done: whether the run is paused or
        finished.
        """
        reader, inspection = self.tensor_reader.values, self._inspection
        if reader is not None and reader.poll_values():
            self._take_values(reader.probed_values)
        if self.tensor_reader.poll_statistics():
            inspection.statistics, inspection.bad = self.tensor_reader.statistics, self.tensor_reader.first_bad
            self._traced = False
        if reader and inspection.trace_on and inspection.statistics and not (self._traced and inspection.trace):
            inspection.trace, self._traced = reader.trace(), True
        self._settled = pass_complete and bool(inspection.tensors)
        self._formulas.frame(now, self._settled, done)
        if not self._settled:
            return
        watched = inspection.watched
        if watched != self._asked or (self._new_pass and watched):
            if reader is not None:
                reader.request_values(watched)
            self._asked = watched
        self._new_pass = False
        shown = inspection.list_visible or inspection.trace_on
        due = done or now - self._measured_at >= (_SHOWN_EVERY if shown else _ALARM_EVERY)
        if self._statistics_due and due:
            self.tensor_reader.request_statistics()
            self._statistics_due, self._measured_at = False, now

    def drawn(self) -> None:
        """Request what the panels of this frame want in the next."""
        self._formulas.ask()

    def _take_values(self, values: Mapping[TensorIndex, ProbedValue]) -> None:
        inspection, run = self._inspection, self._state.run
        inspection.probed_values.clear()
        inspection.probed_values.update(values)
        # The step, not the row in the pass: the row stops changing once the context is full.
        step = len(run.steps) if run else 0
        for pin in inspection.pins:
            if pin.element in values:
                pin.follow(step, values[pin.element].value)
