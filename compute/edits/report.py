"""What the edits of a run have done, for people and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .gpu_list import Effects
from .resolved import ResolvedEdit


@dataclass(frozen=True)
class EditReport:
    """The edits of a run by their canonical text, and how many values each has changed.

    empty_rows: attention rows that edits left without a key; they are 0.
    """

    edits: tuple[str, ...] = ()
    changed: tuple[int, ...] = ()
    empty_rows: int = 0

    @classmethod
    def of(cls, edits: Sequence[ResolvedEdit], effects: Effects) -> EditReport:
        """The report of edits in force."""
        return cls(tuple(map(str, edits)), effects.changed, effects.empty_rows)

    @property
    def no_effect(self) -> tuple[str, ...]:
        """The edits that have changed no value."""
        return tuple(edit for edit, count in zip(self.edits, self.changed, strict=True) if not count)

    def warnings(self) -> list[str]:
        """A line for each edit without effect, and one about attention rows without keys."""
        lines = [f"no effect: {edit}" for edit in self.no_effect]
        if self.empty_rows:
            rows = "1 attention row has" if self.empty_rows == 1 else f"{self.empty_rows:,} attention rows have"
            lines.append(f"{rows} no key left after the edits; the weights there are 0")
        return lines


NO_EDITS = EditReport()
