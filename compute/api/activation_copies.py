"""Where the activations of an engine's latest pass are, as ranges of bytes, and their arrays from these bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder
from compute.models.registry import Tensor
from compute.views.patterns import PatternStore, row_of_keys


@dataclass(frozen=True)
class Copy:
    """A tensor's bytes, ranges of equal size in the source, and the shape of the array that they make together."""

    tensor: Tensor
    offsets: Sequence[int]  # bytes
    size: int  # bytes of each range
    shape: tuple[int, ...]
    sequence: int  # tokens of each sequence of the pass

    @property
    def name(self) -> str:
        """The name of the tensor."""
        return self.tensor.name

    @property
    def nbytes(self) -> int:
        """Size of all ranges together, in bytes."""
        return len(self.offsets) * self.size

    def arranged(self, values: np.ndarray) -> np.ndarray:
        """float32 [sequences, tokens, columns] or [sequences, heads, query, key] from the copied values; read-only."""
        array = values.reshape(self.shape)
        if self.tensor.heads:
            array = np.ascontiguousarray(array[..., : self.sequence].swapaxes(0, 1))  # without the padding of the keys
        array.flags.writeable = False
        return array


class ActivationCopies:
    """Copies of activations; patterns are recomputed."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` when the engine keeps no activations."""
        if engine.activations is None:
            raise UsageError("the model was loaded without activations: load it with LoadOptions(trace=True)")
        self._engine = engine
        self._patterns: PatternStore | None = None  # allocated on first use

    def of(self, name: str, sequence: int, *, last: bool = False) -> Copy:
        """The copy of an activation or pattern, or of the last row of each sequence.

        The array has an axis of sequences: the first axis, or for patterns the one after the heads.
        """
        tensor, rows = self._engine.registry[name], self._engine.registry.rows
        count, kept = (rows // sequence, 1) if last else (1, rows)  # ranges, and rows of each
        if tensor.heads:
            row, starts = 4 * row_of_keys(sequence), range(0, tensor.heads * self._engine.context, self._engine.context)
        else:
            row, starts = 4 * tensor.columns, range(1)
        base = 0 if tensor.heads else tensor.storage.shards[0].offset
        skipped = sequence - 1 if last else 0  # rows of a range's sequence before those that are kept
        offsets = [base + row * (start + index * sequence + skipped) for start in starts for index in range(count)]
        shape = (rows // sequence, 1 if last else sequence, row // 4)
        return Copy(tensor, offsets, row * kept, (tensor.heads, *shape) if tensor.heads else shape, sequence)

    def source(self, copy: Copy, encoder: ComputeEncoder) -> wgpu.GPUBuffer:
        """The buffer to copy from. A pattern is written to it by the encoder, and stays until the next pattern is."""
        if not copy.tensor.heads:
            return copy.tensor.storage.shards[0].resource
        rows = self._engine.registry.rows
        first = rows - 1 if copy.shape[1:3] == (1, 1) else 0  # of one sequence the last row alone can be computed
        buffer, dispatches = self._pattern_store().sequences(copy.tensor, first, rows, copy.sequence)
        encoder.run(dispatches)
        return buffer

    def _pattern_store(self) -> PatternStore:
        if self._patterns is None:
            # A budget of nothing still gives one buffer, which is enough: each pattern is copied at once.
            self._patterns = PatternStore(self._engine, self._engine.context, budget=0)
        return self._patterns
