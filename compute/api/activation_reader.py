"""Reads many activations of an engine's latest pass with few readbacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder, Readback, poll
from compute.models.registry import Tensor
from compute.views.patterns import PatternStore

_PIECE = 256 << 20  # bytes that are read back together


@dataclass(frozen=True)
class _Copy:
    """A tensor's bytes: `count` ranges of `size` bytes each, `stride` bytes apart in the source."""

    tensor: Tensor
    offset: int  # bytes
    size: int  # bytes
    count: int
    stride: int  # bytes
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.count * self.size


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
        only_last = frozenset(last)
        copies = [self._copy(self._engine.registry[name], last=name in only_last) for name in names]
        found: dict[str, np.ndarray] = {}
        for piece in _pieces(copies):
            found |= self._read(piece)
        return found

    def _copy(self, tensor: Tensor, *, last: bool) -> _Copy:
        rows = self._engine.registry.rows
        first = rows - 1 if last else 0
        if tensor.heads:
            keys = self._pattern_store().stride
            size, stride = 4 * (rows - first) * keys, 4 * self._engine.context * keys
            return _Copy(tensor, 4 * first * keys, size, tensor.heads, stride, (tensor.heads, rows - first, keys))
        offset = tensor.storage.shards[0].offset + 4 * first * tensor.columns
        return _Copy(tensor, offset, 4 * (rows - first) * tensor.columns, 1, 0, (rows - first, tensor.columns))

    def _read(self, copies: list[_Copy]) -> Iterator[tuple[str, np.ndarray]]:
        device, rows = self._engine.device, self._engine.registry.rows
        staging = Readback(device, sum(copy.nbytes for copy in copies), "activations")
        encoder = ComputeEncoder(device)
        at = 0
        for copy in copies:
            source = self._source(copy, encoder)
            for index in range(copy.count):
                encoder.copy(source, copy.offset + index * copy.stride, staging.buffer, at, copy.size)
                at += copy.size
        encoder.submit()
        staging.request()
        poll(device, wait=True)
        data, at = staging.read(), 0
        for copy in copies:
            array = np.frombuffer(data, np.float32, copy.nbytes // 4, at).reshape(copy.shape)
            at += copy.nbytes
            if copy.tensor.heads:
                array = np.ascontiguousarray(array[:, :, :rows])  # without the padding of the keys
                array.flags.writeable = False
            yield copy.tensor.name, array

    def _source(self, copy: _Copy, encoder: ComputeEncoder) -> wgpu.GPUBuffer:
        """The buffer to copy from, into which the encoder has written a pattern."""
        if not copy.tensor.heads:
            return copy.tensor.storage.shards[0].resource
        store, rows = self._pattern_store(), self._engine.registry.rows
        store.invalidate()
        buffer, dispatches = store.rows(copy.tensor, rows - copy.shape[1], rows)
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
