"""What the edits of the list have changed so far, fetched after each pass. Nothing here waits for the GPU."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.quoting import counted
from atlas_viewer.state.state import State
from compute.edits.gpu_list import PendingEffects
from compute.edits.grammar import Edit


class EditEffects:
    """Keeps `state.edits.effects` up to date."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: PendingEffects | None = None
        self._passed = False

    @property
    def pending(self) -> bool:
        """True while counts are in flight or must be fetched, so that more frames are drawn."""
        return self._pending is not None or self._passed

    def passed(self) -> None:
        """Take note that a pass has been submitted."""
        self._passed = True

    def frame(self, model: ModelLike) -> None:
        """Store what has arrived, and fetch the counts after a new pass."""
        if self._pending is not None:
            effects = self._pending.take()
            if effects is not None:
                edits, self._pending = self._pending.edits, None
                self._store([edit.edit for edit in edits], effects.changed)
        if self._pending is None and self._passed:
            self._passed = False
            self._pending = model.generations.request_effects() if model.generations is not None else None

    def _store(self, edits: Sequence[Edit], changed: Sequence[int]) -> None:
        """Note what each entry has changed, if `edits` are those in force."""
        known = self._state.edits
        if tuple(edits) != known.active:
            return
        counts = list(changed)
        for entry in known.in_force:
            parts = [counts.pop(0) for _ in entry.edits]
            if parts:
                most = max(parts)
                known.effects[entry.number] = (
                    f"changed {counted(most, 'value')}" if most else "no effect: it has changed no value"
                )
