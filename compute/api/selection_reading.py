"""Brings a selection of the engine's latest pass to a file, without waiting for the GPU and in bounded memory.

The thread that draws frames fetches the values in slices. Another thread puts them together, one tensor after another,
reads the weights from the model's file, and writes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.wgpu_native import ComputeEncoder
from compute.io.array_files import SINGLE, ArraySpec, check_space, write_new
from compute.weights.checkpoint import WeightSource
from compute.weights.weight_types import parameter

from .activation_copies import ActivationCopies, Copy
from .derived import derived
from .selection import TOKENS, Selection

_SLICE = 8 << 20  # bytes that are read back together: about a frame's worth of copying


@dataclass(frozen=True)
class _Range:
    """Bytes of a copy. begins: they are its first, so that a pattern has to be recomputed."""

    copy: Copy
    offset: int  # bytes in the source
    size: int  # bytes
    begins: bool


class SelectionReading:
    """A selection of tensors and the engine's latest pass. No other pass may begin before `arriving` has ended."""

    def __init__(
        self, engine: Engine, source: WeightSource, selection: Selection, path: Path | str, tokens: Sequence[int]
    ) -> None:
        """path: the file to write; tokens: of the pass, one per row, or none when the selection needs no pass.

        Raises `UsageError` for an unsuitable suffix, `OutputError` when the disk has too little space.
        """
        selection.check_path(path)
        self._engine, self._source, self._selection, self._path = engine, source, selection, path
        self._tokens = np.asarray(tokens, np.int32)
        self._copies: list[Copy] = []
        self._activations: ActivationCopies | None = None
        if selection.readings:
            self._activations = ActivationCopies(engine)
            names = map(
                engine.description.canonical, (source for reading in selection.readings for source in reading.sources)
            )
            self._copies = [self._activations.of(name, len(tokens)) for name in names]
        if selection.logits is not None:
            name, vocabulary = selection.logits
            self._copies.append(Copy(engine.registry[name], [0], 4 * vocabulary, (1, 1, vocabulary), 1))
        specs = selection.specs(len(tokens))
        if selection.needs_pass and Path(path).suffix.lower() != SINGLE:
            specs.insert(0, ArraySpec(TOKENS, self._tokens.dtype, self._tokens.shape))
        self._specs = specs
        check_space(path, self.nbytes)

    @property
    def nbytes(self) -> int:
        """Size of all arrays in the file, in bytes."""
        return sum(spec.nbytes for spec in self._specs)

    def arriving(self) -> Iterator[bytes | None]:
        """The values from the GPU in slices, or None while the next slice is in flight. Never blocks."""
        readback: AsyncReadback[bytes] = AsyncReadback(self._engine.device, "tensors to save")
        store: wgpu.GPUBuffer | None = None
        for ranges in slices(self._copies):

            def submit(staging: wgpu.GPUBuffer, ranges: Sequence[_Range] = ranges) -> None:
                nonlocal store
                encoder, at = ComputeEncoder(self._engine.device), 0
                for part in ranges:
                    if part.begins or store is None:
                        store = self._buffer(part.copy, encoder)
                    encoder.copy(store, part.offset, staging, at, part.size)
                    at += part.size
                encoder.submit()

            readback.request_copy(submit, sum(part.size for part in ranges), lambda data: data)
            while (data := readback.take()) is None:
                yield None
            yield data

    def write(self, pull: Callable[[], bytes], metadata: Mapping[str, str], report: Callable[[int], object]) -> None:
        """Write the file, which must not exist yet. Blocks, so it is for a thread of its own.

        pull: waits for the next slice of `arriving`; it may raise to end the work, and no file remains. report: is
        called with the number of bytes in the file so far, before each tensor, and may raise as well.
        Raises `OutputExistsError`, `OutputError`.
        """
        write_new(self._path, self._specs, self._reported(pull, report), metadata)

    def _reported(self, pull: Callable[[], bytes], report: Callable[[int], object]) -> Iterator[np.ndarray]:
        done = 0
        report(done)
        for array in self._arrays(pull):
            nbytes = array.nbytes
            yield array
            del array  # so that only the next tensor is in memory
            done += nbytes
            report(done)

    def _arrays(self, pull: Callable[[], bytes]) -> Iterator[np.ndarray]:
        """The arrays in the order of `_specs`."""
        selection, description = self._selection, self._engine.description
        if len(self._specs) > selection.count:
            yield self._tokens
        values = _Values(pull)
        copies = iter(self._copies)
        for reading in selection.readings:
            arrays = [_arrived(copy, values) for copy in itertools.islice(copies, len(reading.sources))]
            yield arrays[0] if reading.source in description.patterns else derived(reading, *arrays)
        for copy in copies:
            yield _arrived(copy, values)
        for weight in selection.weights:
            yield parameter(self._source, weight.name, self._engine.types)

    def _buffer(self, copy: Copy, encoder: ComputeEncoder) -> wgpu.GPUBuffer:
        if self._activations is not None and not copy.tensor.vector:
            return self._activations.source(copy, encoder)
        return copy.tensor.storage.shards[0].resource


def _arrived(copy: Copy, values: _Values) -> np.ndarray:
    array: np.ndarray = copy.arranged(values.take(copy.nbytes))[0]
    return array


class _Values:
    """A stream of slices, taken in pieces of any size."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        self._pull = pull
        self._slice = memoryview(b"")

    def take(self, nbytes: int) -> np.ndarray:
        """The next `nbytes` bytes as float32."""
        values = np.empty(nbytes // 4, np.float32)
        target, filled = values.data.cast("B"), 0
        while filled < nbytes:
            if not self._slice:
                self._slice = memoryview(self._pull())
            part = self._slice[: nbytes - filled]
            target[filled : filled + len(part)] = part
            self._slice = self._slice[len(part) :]
            filled += len(part)
        return values


def slices(copies: Sequence[Copy], most: int = _SLICE) -> Iterator[list[_Range]]:
    """The bytes of the copies in order, in groups of up to `most` bytes (a multiple of 4).

    A group begins at most one pattern, because recomputing it takes longer than copying.
    """
    group: list[_Range] = []
    free = most
    for copy in copies:
        if copy.tensor.heads and any(part.begins and part.copy.tensor.heads for part in group):
            yield group
            group, free = [], most
        for index, offset in enumerate(copy.offsets):
            done = 0
            while done < copy.size:
                size = min(copy.size - done, free)
                group.append(_Range(copy, offset + done, size, begins=index == done == 0))
                done, free = done + size, free - size
                if not free:
                    yield group
                    group, free = [], most
    if group:
        yield group
