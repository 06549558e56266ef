"""Which tensors a run has to read for what it keeps, and how much memory they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from compute.errors import MemoryBudgetError
from compute.forward.memory_budget import free_host_bytes
from compute.io.size_text import size_text
from compute.models.description import Description
from compute.models.readings import Form, Reading

from .run import Rows


@dataclass(frozen=True)
class Kept:
    """What to keep of a pass: arrays by name, of all rows or the last."""

    description: Description
    readings: Sequence[Reading]
    rows: Rows

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The tensors to read, by the names of their memory."""
        names = (source for reading in self.readings for source in reading.sources)
        return tuple(dict.fromkeys(map(self.description.canonical, names)))

    @cached_property
    def only_last(self) -> frozenset[str]:
        """Those of `sources` of which the last row is enough."""
        if self.rows == "all":
            return frozenset()
        # Scores are computed on the CPU from the last query and all keys.
        scores = (reading for reading in self.readings if reading.form is Form.SCORES)
        whole = {self.description.canonical(source) for reading in scores for source in reading.sources}
        return frozenset(self.sources) - whole

    def check_memory(self, lengths: Sequence[int]) -> None:
        """Raise `MemoryBudgetError` when the arrays of texts of `lengths` tokens exceed the free memory."""
        available, needed = free_host_bytes(), sum(map(self._nbytes, lengths))
        if available is not None and needed > available:
            raise MemoryBudgetError(
                f"the arrays of this run need {size_text(needed)} of memory, {size_text(available)} are available:"
                ' name fewer tensors in keep=, use rows="last", or run fewer or shorter texts'
            )

    def _nbytes(self, tokens: int) -> int:
        """Bytes of the logits and of all sources for a text of `tokens` tokens."""
        total = (1 if self.rows == "last" else tokens) * self.description.config.vocabulary
        for name in self.sources:
            pattern = self.description.patterns.get(name)
            columns = self.description.outputs[name].columns if pattern is None else pattern.heads * tokens
            total += (1 if name in self.only_last else tokens) * columns
        return 4 * total
