"""A pass whose tensors are read one after another, so that only one is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.report import EditReport
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.models.description import Description
from compute.models.operations import Alias, Attention, Head

from .activation_reader import ActivationReader
from .edited import report_of

_TOGETHER = 16 << 20  # bytes of activations that are read back at once


@dataclass(frozen=True)
class PassStream:
    """A pass over `tokens`, whose first has this absolute position and the index `start` in its text."""

    engine: Engine
    passes: WholePass
    reader: ActivationReader
    tokens: Sequence[int]
    position: int
    start: int

    def logits(self) -> Iterator[np.ndarray]:
        """Runs the pass and yields the logits of every row in pieces: float32 [some rows, vocabulary]. Blocks."""
        vocabulary = self.engine.config.vocabulary
        for piece in self.passes.logits(self.tokens, self.position, text_start=self.start):
            yield piece[:, :vocabulary]

    def activations(self) -> Iterator[tuple[str, np.ndarray]]:
        """After the logits: every activation and pattern in the order of `activation_shapes`. Blocks."""
        group: list[str] = []
        size = 0
        for name, shape in activation_shapes(self.engine.description, len(self.tokens)).items():
            group.append(name)
            size += 4 * int(np.prod(shape))
            if size >= _TOGETHER:
                yield from self._read(group)
                group, size = [], 0
        yield from self._read(group)

    def report(self) -> EditReport:
        """What the edits of the pass have done. Blocks."""
        return report_of(self.engine)

    def _read(self, names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        arrays = self.reader.read(names) if names else {}
        for name in names:
            yield name, arrays.pop(name)


def activation_shapes(description: Description, tokens: int) -> dict[str, tuple[int, ...]]:
    """Every activation and pattern under one name, in the order in which the model computes them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for operation in description.operations():
        if isinstance(operation, Attention):
            shapes[operation.pattern] = (operation.heads, tokens, tokens)
        if not isinstance(operation, (Alias, Head)):
            shapes[operation.output] = (tokens, operation.columns)
    return shapes
