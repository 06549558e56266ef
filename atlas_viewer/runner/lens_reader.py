"""The logit lens over the engine's latest pass, without waiting."""

from __future__ import annotations

from compute.forward.engine import Engine
from compute.gpu.device import is_software
from compute.lens.lens_cells import LensCells
from compute.lens.lens_pass import LensPass
from compute.lens.points import lens_points
from compute.lens.self_check import SelfCheck


class LensReader:
    """Reads what the Lens panel shows. Its buffers are allocated at the first request."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` when no lens is defined for the model."""
        self._engine, self.points = engine, lens_points(engine.description)
        self._lens = self._made()
        self._edits = engine.edit_changes  # that the pass is bound to

    def _made(self) -> LensPass:
        return LensPass(self._engine, halves=is_software(self._engine.device.adapter))

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""
        return self._engine.registry.rows

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""
        return self._engine.registry.first_position

    @property
    def passes(self) -> int:
        """Number of passes so far."""
        return self._engine.registry.passes

    @property
    def edit_changes(self) -> int:
        """Number of changes of the edits so far."""
        return self._engine.edit_changes

    @property
    def waiting(self) -> bool:
        """True while a result is in flight."""
        return self._lens.waiting

    def request(self, positions: range, target: int | None, top: int) -> bool:
        """Request all points of these context rows. Raises `MemoryBudgetError` when the buffers do not fit."""
        if self._edits != self._engine.edit_changes:
            # Edited weights are stored elsewhere.
            self._lens, self._edits = self._made(), self._engine.edit_changes
        return self._lens.request(positions, target, top)

    def take(self) -> LensCells | None:
        """Return the result once after it has arrived, otherwise None."""
        return self._lens.take()

    def request_check(self) -> bool:
        """Compare the last point with the logits, after a request that contains the newest row."""
        return self._lens.request_check()

    def take_check(self) -> SelfCheck | None:
        """Return the comparison once after it has arrived, otherwise None."""
        return self._lens.take_check()
