"""Keeps the formula card up to date: requests the formula of the element in focus, and stores what arrives."""

from __future__ import annotations

from collections.abc import Iterator

from atlas_viewer.state.formula_card import REST_S
from atlas_viewer.state.reader_protocols import FormulaSource
from atlas_viewer.state.state import State

_END = object()


class FormulaUpdater:
    """Connects a source of formulas to the state. Nothing here waits for the GPU."""

    def __init__(self, source: FormulaSource | None, state: State) -> None:
        """source: None when there are no formulas, as in a recording without its model."""
        self._source, self._state = source, state
        self._warming: Iterator[None] | None = None
        self._warm = source is None  # every kind of formula has run once
        self._now, self._settled = 0.0, False
        state.formula.clear()
        # Where the formula is there at once, so is the card: in the first frame in which the mouse stands still.
        state.formula.rest_s = REST_S if source is None or source.slow else 0.0

    @property
    def pending(self) -> bool:
        """True while more frames must be drawn."""
        if self._source is None or not self._state.ui.formulas:
            return False
        return self._source.pending or self._state.formula.waits(self._now)

    @property
    def preparing(self) -> bool:
        """True until every kind of formula has run once, which begins when no run is in progress."""
        return self._state.ui.formulas and not self._warm

    def passed(self) -> None:
        """Take note that a new pass is complete."""
        self._state.formula.stale = True

    def frame(self, now: float, settled: bool, idle: bool) -> None:
        """Store what has arrived, before the panels show it.

        now: in seconds; settled: whether the tensors belong to one whole pass; idle: whether the run is paused or
        finished.
        """
        source, card = self._source, self._state.formula
        self._now, self._settled, card.live = now, settled, self._state.live
        if source is None:
            return
        if source.poll():
            card.formula = source.latest
        if not self._state.ui.formulas:
            card.clear()
            return
        if not settled or source.pending:
            return
        if idle and self._warming is None:
            self._warming = source.warming()
        if self._warming is not None and not self._warm and card.wanted is None:
            # A kernel per frame, before anybody waits for it.
            self._warm = next(self._warming, _END) is _END

    def ask(self) -> None:
        """Request what the panels of this frame want, if the tensors belong to one whole pass."""
        source, card = self._source, self._state.formula
        wanted = card.wanted
        if source is None or not self._state.ui.formulas or not self._settled or source.pending or wanted is None:
            return
        if not source.explains(wanted.name):
            card.without = wanted.name
        elif source.has(wanted):
            source.request(wanted)
            card.stale = False
