"""Runs one text many times, each time with other edits, as many copies in one pass as fit into the context."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.resolved import ResolvedEdit
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.slices import WHOLE, Pace, Sliced

Progress = Callable[[int, int], None]
"""Called with the number of copies that have run, and the number of all."""


@dataclass(frozen=True)
class Measure:
    """What is read of the logits after the last token: that of `target`, or how far it is above that of `against`."""

    target: int
    against: int | None = None

    def of(self, logits: np.ndarray) -> float:
        """The number for one row of logits."""
        other = 0.0 if self.against is None else float(logits[self.against])
        return float(logits[self.target]) - other


@dataclass(frozen=True)
class Outcome:
    """A copy of the text after its pass. changed: how many values its edits have changed."""

    value: float
    changed: int


@dataclass(frozen=True)
class Sweep:
    """Copies of `tokens` on an engine that no generation uses at the same time.

    edits: in force for every copy, before its own. slots: the tensors that the edits of copies change; with them the
    programs stay the same from pass to pass. pace: how much of a pass to submit at once.
    """

    engine: Engine
    passes: WholePass
    tokens: Sequence[int]
    measure: Measure
    edits: Sequence[ResolvedEdit] = ()
    slots: Sequence[str] = ()
    pace: Pace = WHOLE

    @property
    def at_once(self) -> int:
        """Copies in one pass."""
        return max(1, self.engine.context // len(self.tokens))

    def run(
        self, copies: Iterable[Sequence[ResolvedEdit]], done: int, total: int, progress: Progress | None
    ) -> Sliced[list[Outcome]]:
        """The outcome of each copy with its edits, in order, reported whenever a pass has ended.

        done: copies that ran before. The engine has no edits afterwards, whether the sweep was finished or not.
        """
        remaining = iter(copies)
        found: list[Outcome] = []
        try:
            while group := list(itertools.islice(remaining, self.at_once)):
                for outcome in (yield from self._pass(group)):
                    found.append(outcome)
                    if progress is not None:
                        progress(done + len(found), total)
        finally:
            self.engine.set_edits(())
        return found

    def _pass(self, group: Sequence[Sequence[ResolvedEdit]]) -> Sliced[list[Outcome]]:
        own = [[edit.only_in(number) for edit in edits] for number, edits in enumerate(group)]
        self.engine.set_edits([*self.edits, *itertools.chain.from_iterable(own)], fresh=True, slots=self.slots)
        length = len(self.tokens)
        # Never a single copy where several fit: its logits take another kernel, which rounds differently.
        count = max(len(group), min(2, self.at_once))
        texts = list(self.tokens) * count
        logits = yield from self.passes.last_logits_sliced(texts, sequence=length, pace=self.pace)
        effects = yield from self.engine.effects_sliced()
        changed = iter(effects.changed[len(self.edits) :])
        return [
            Outcome(self.measure.of(row), sum(itertools.islice(changed, len(edits))))
            for row, edits in zip(logits[: len(own)], own, strict=True)
        ]
