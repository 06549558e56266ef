"""Tensors of a running model for files: weights, and activations, patterns and logits of the latest pass."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.tensor_save import Scheme
from compute.api.names import Names
from compute.api.selection import Selection, select
from compute.api.selection_reading import SelectionReading
from compute.forward.engine import Engine
from compute.weights.checkpoint import WeightSource


class TensorFiles:
    """Selects tensors by name, and reads them without waiting."""

    def __init__(self, engine: Engine, source: WeightSource) -> None:
        """source: the model's open file, from which weights are read."""
        self._engine, self._source = engine, source
        self._names = Names(engine.description)

    @property
    def rows(self) -> int:
        """Number of context tokens of the latest pass."""
        return self._engine.registry.rows

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""
        return self._engine.registry.first_position

    def select(self, globs: str, scheme: Scheme) -> Selection:
        """The tensors of names and globs between spaces. Raises `TensorNameError`, `UsageError`."""
        return select(self._names, globs, scheme)

    def reading(self, globs: str, scheme: Scheme, path: str, tokens: Sequence[int]) -> SelectionReading:
        """The selection in the latest pass, for a new file. tokens: those of the pass. See `SelectionReading`."""
        return SelectionReading(self._engine, self._source, self.select(globs, scheme), path, tokens)
