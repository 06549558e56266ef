"""The tensors that a program has to edit, and the dispatches that do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compute.edits.gpu_list import EditList
from compute.edits.targets import Kind, Target
from compute.models.operations import Attention

NOWHERE = 2**32 - 1
UNEDITED = (NOWHERE, NOWHERE)  # the points of attention whose scores and pattern are not edited


@dataclass(frozen=True)
class EditPoints:
    """Points of edits by their index in the list. slots: see `Target.slot`."""

    edits: EditList
    slots: tuple[str, ...]

    def index(self, slot: str) -> int:
        """The index of a point; `NOWHERE` when it is not edited."""
        return self.slots.index(slot) if slot in self.slots else NOWHERE

    def attention(self, attention: Attention) -> tuple[int, int]:
        """The points of scores and pattern of this attention; `NOWHERE` for what is not edited."""
        scores, pattern = self.attention_slots(attention)
        return self.index(scores), self.index(pattern)

    @staticmethod
    def attention_slots(attention: Attention) -> tuple[str, str]:
        """The slots of scores and pattern."""
        return Target("", Kind.SCORES, attention.pattern, (), 0, 0, 0).slot, attention.pattern


def edited(points: EditPoints | None, slot: str) -> bool:
    """True when a program with these points edits that tensor."""
    return points is not None and slot in points.slots


def edited_slots(points: EditPoints | None) -> Sequence[str]:
    """The points, none for a program without edits."""
    return points.slots if points is not None else ()
