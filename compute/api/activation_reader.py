"""Reads many activations of an engine's latest pass with few readbacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder, Readback, poll
from compute.models.registry import Tensor
from compute.views.patterns import PatternStore, row_of_keys

_PIECE = 256 << 20  # bytes that are read back together


@dataclass(frozen=True)
class _Copy:
    """A tensor's bytes, ranges of equal size in the source, and the shape of the array that they make together."""

    tensor: Tensor
    offsets: Sequence[int]  # bytes
    size: int  # bytes of each range
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return len(self.offsets) * self.size


class ActivationReader:
    """Copies activations into one staging buffer and waits once for all of them; patterns are recomputed."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` when the engine keeps no activations."""
        if engine.activations is None:
            raise UsageError("the model was loaded without activations: load it with LoadOptions(trace=True)")
        self._engine = engine
        self._patterns: PatternStore | None = None  # allocated on first use

    def read(self, names: Iterable[str], *, last: Iterable[str] = ()) -> dict[str, np.ndarray]:
        """Activations and patterns by name: float32 [tokens, columns] and [heads, query, key]. Blocks.

        last: names of those of which only the last row is read, [1, columns] and [heads, 1, key].
        The arrays are read-only.
        """
        return self.read_sequences(names, self._engine.registry.rows, last=last)[0]

    def read_sequences(
        self, names: Iterable[str], sequence: int, *, last: Iterable[str] = ()
    ) -> list[dict[str, np.ndarray]]:
        """As `read`, for each of the sequences of `sequence` tokens that the latest pass consisted of."""
        only_last = frozenset(last)
        copies = [self._copy(self._engine.registry[name], sequence, last=name in only_last) for name in names]
        found: list[dict[str, np.ndarray]] = [{} for _ in range(self._engine.registry.rows // sequence)]
        for piece in _pieces(copies):
            for name, array in self._read(piece, sequence):
                for index, of_sequence in enumerate(found):
                    of_sequence[name] = array[index]
        return found

    def _copy(self, tensor: Tensor, sequence: int, *, last: bool) -> _Copy:
        """The array has an axis of sequences: the first axis, or for patterns the one after the heads."""
        rows = self._engine.registry.rows
        count, kept = (rows // sequence, 1) if last else (1, rows)  # ranges, and rows of each
        if tensor.heads:
            row, starts = 4 * row_of_keys(sequence), range(0, tensor.heads * self._engine.context, self._engine.context)
        else:
            row, starts = 4 * tensor.columns, range(1)
        base = 0 if tensor.heads else tensor.storage.shards[0].offset
        skipped = sequence - 1 if last else 0  # rows of a range's sequence before those that are kept
        offsets = [base + row * (start + index * sequence + skipped) for start in starts for index in range(count)]
        shape = (rows // sequence, 1 if last else sequence, row // 4)
        return _Copy(tensor, offsets, row * kept, (tensor.heads, *shape) if tensor.heads else shape)

    def _read(self, copies: list[_Copy], sequence: int) -> Iterator[tuple[str, np.ndarray]]:
        """The arrays by name, their first axis that of the sequences."""
        device = self._engine.device
        staging = Readback(device, sum(copy.nbytes for copy in copies), "activations")
        encoder = ComputeEncoder(device)
        at = 0
        for copy in copies:
            source = self._source(copy, sequence, encoder)
            for offset in copy.offsets:
                encoder.copy(source, offset, staging.buffer, at, copy.size)
                at += copy.size
        encoder.submit()
        staging.request()
        poll(device, wait=True)
        data, at = staging.read(), 0
        for copy in copies:
            array = np.frombuffer(data, np.float32, copy.nbytes // 4, at).reshape(copy.shape)
            at += copy.nbytes
            if copy.tensor.heads:
                # Without the padding of the keys: [sequences, heads, query, key].
                array = np.ascontiguousarray(array[..., :sequence].swapaxes(0, 1))
                array.flags.writeable = False
            yield copy.tensor.name, array

    def _source(self, copy: _Copy, sequence: int, encoder: ComputeEncoder) -> wgpu.GPUBuffer:
        """The buffer to copy from, into which the encoder has written a pattern."""
        if not copy.tensor.heads:
            return copy.tensor.storage.shards[0].resource
        rows = self._engine.registry.rows
        first = rows - 1 if copy.shape[1:3] == (1, 1) else 0  # of one sequence the last row alone can be computed
        buffer, dispatches = self._pattern_store().sequences(copy.tensor, first, rows, sequence)
        encoder.run(dispatches)
        return buffer

    def _pattern_store(self) -> PatternStore:
        if self._patterns is None:
            # A budget of nothing still gives one buffer, which is enough: each pattern is copied at once.
            self._patterns = PatternStore(self._engine, self._engine.context, budget=0)
        return self._patterns


def _pieces(copies: Iterable[_Copy]) -> Iterator[list[_Copy]]:
    """The copies in order, in groups of up to `_PIECE` bytes; a larger one is a group of its own."""
    piece: list[_Copy] = []
    size = 0
    for copy in copies:
        if piece and size + copy.nbytes > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append(copy)
        size += copy.nbytes
    if piece:
        yield piece
