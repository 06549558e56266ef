"""The edits in force on an engine, and the programs that apply them. Without edits the engine's own programs run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compute.edits.gpu_list import EditList, Effects, PendingEffects
from compute.edits.resolved import ResolvedEdit
from compute.edits.targets import Kind
from compute.models.operations import Attention
from compute.models.registry import TensorStorage

from .edit_points import NOWHERE, EditPoints
from .model_memory import ModelMemory, P
from .program import Program
from .program_choice import ProgramChoice
from .rows_program import RowsProgram
from .weight_copies import check_memory, fill_copy, weight_copy


class EditedPrograms:
    """Programs by what is edited: other values of the same tensors need no other programs."""

    def __init__(self, memory: ModelMemory, choice: ProgramChoice) -> None:
        """choice: the programs without edits."""
        self._memory, self._choice = memory, choice
        self.edits: tuple[ResolvedEdit, ...] = ()
        self.copies: Mapping[str, TensorStorage] = {}  # of edited weights, by name
        self._list: EditList | None = None  # created by the first edit
        self._points: EditPoints | None = None
        self._decode: Program | None = None  # with the edits; built when they are first needed
        self._prefill: dict[int, RowsProgram] = {}  # by index

    @property
    def decode(self) -> Program:
        """The program for one row."""
        if self._points is None:
            return self._choice.decode
        if self._decode is None:
            self._decode = self._as(self._choice.decode, self._points)
        return self._decode

    def prefill(self, index: int) -> RowsProgram:
        """The program for many rows of that index in the engine's choice."""
        if self._points is None:
            return self._choice.prefill[index]
        if index not in self._prefill:
            self._prefill[index] = self._as(self._choice.prefill[index], self._points)
        return self._prefill[index]

    def set(self, edits: Sequence[ResolvedEdit], *, fresh: bool, slots: Sequence[str] = ()) -> None:
        """Apply these edits, and no others, in passes that are planned from now on.

        fresh: count from 0 what they change in passes; otherwise edits that stay keep their counts. slots: tensors that
        the programs can edit besides, so that lists of edits of these follow one another with the same programs.

        Raises `MemoryBudgetError` when copies of weights do not fit; the edits before then stay in force.
        """
        slots = tuple(dict.fromkeys([*slots, *(edit.target.slot for edit in edits)]))
        weights = tuple(dict.fromkeys(e.target.point for e in edits if e.target.kind is Kind.WEIGHT))
        missing = tuple(name for name in weights if name not in self.copies)
        check_memory(self._memory, missing)
        if not edits:
            self.edits, self.copies, self._points = (), {}, None
            self._forget()
            return
        if self._list is None:
            self._list = EditList(self._memory.device)
        rebound = self._list.write(slots, edits, keep_counts=not fresh)
        known = self._points is not None and self._points.slots == slots and not rebound
        self.copies = {name: self.copies.get(name) or weight_copy(self._memory, name) for name in weights}
        self._points = points = EditPoints(self._list, slots)
        for name, copy in self.copies.items():
            if name in missing or not _same(name, self.edits, edits):
                self._memory.run(fill_copy(self._memory, name, copy, points))
        self.edits = tuple(edits)
        if not known or missing:
            self._forget()

    def _forget(self) -> None:
        self._decode, self._prefill = None, {}

    def _as(self, program: P, points: EditPoints) -> P:
        """The program with these edits."""
        return self._memory.program(type(program), program.rows, program.team, points=points, copies=self.copies)

    def set_text_start(self, index: int) -> None:
        """Note the index in the text of the first token of the history."""
        if self._list is not None:
            self._list.set_text_start(index)

    def attention_points(self, attention: Attention) -> tuple[EditPoints, int, int] | None:
        """The list, and the points of scores and pattern, of an edited attention; None of any other."""
        if self._points is None:
            return None
        scores, pattern = self._points.attention(attention)
        return None if scores == pattern == NOWHERE else (self._points, scores, pattern)

    def request_effects(self) -> PendingEffects | None:
        """Fetch the effects without waiting; None without edits."""
        return self._list.request_effects(self.edits) if self._list is not None and self.edits else None

    def effects(self) -> Effects:
        """What the edits have changed since they were set. Blocks."""
        return self._list.effects(self.edits) if self._list is not None and self.edits else Effects((), 0)


def _same(slot: str, before: Sequence[ResolvedEdit], after: Sequence[ResolvedEdit]) -> bool:
    """True when two lists edit the point in the same way."""
    one = [edit for edit in before if edit.target.slot == slot]
    other = [edit for edit in after if edit.target.slot == slot]
    return len(one) == len(other) and all(a.same(b) for a, b in zip(one, other, strict=True))
