"""Reads many activations of an engine's latest pass with few readbacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from compute.forward.engine import Engine
from compute.gpu.slices import Sliced, read, waited
from compute.gpu.wgpu_native import ComputeEncoder, Readback

from .activation_copies import ActivationCopies, Copy

_PIECE = 256 << 20  # bytes that are read back together


class ActivationReader:
    """Copies activations into one staging buffer and waits once for all of them; patterns are recomputed."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` when the engine keeps no activations."""
        self._engine, self._copies = engine, ActivationCopies(engine)

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
        return waited(self._engine.device, self.sequences_sliced(names, sequence, last=last))

    def sequences_sliced(
        self, names: Iterable[str], sequence: int, *, last: Iterable[str] = ()
    ) -> Sliced[list[dict[str, np.ndarray]]]:
        """As `read_sequences`, between frames."""
        only_last = frozenset(last)
        copies = [self._copies.of(name, sequence, last=name in only_last) for name in names]
        found: list[dict[str, np.ndarray]] = [{} for _ in range(self._engine.registry.rows // sequence)]
        for piece in _pieces(copies):
            for name, array in (yield from self._read(piece)):
                for index, of_sequence in enumerate(found):
                    of_sequence[name] = array[index]
        return found

    def _read(self, copies: list[Copy]) -> Sliced[list[tuple[str, np.ndarray]]]:
        """The arrays by name, their first axis that of the sequences."""
        device = self._engine.device
        staging = Readback(device, sum(copy.nbytes for copy in copies), "activations")
        encoder = ComputeEncoder(device)
        at = 0
        for copy in copies:
            source = self._copies.source(copy, encoder)
            for offset in copy.offsets:
                encoder.copy(source, offset, staging.buffer, at, copy.size)
                at += copy.size
        encoder.submit()
        data, at = (yield from read(staging)), 0
        arrays = []
        for copy in copies:
            arrays.append((copy.name, copy.arranged(np.frombuffer(data, np.float32, copy.nbytes // 4, at))))
            at += copy.nbytes
        return arrays


def _pieces(copies: Iterable[Copy]) -> Iterator[list[Copy]]:
    """The copies in order, in groups of up to `_PIECE` bytes; a larger one is a group of its own."""
    piece: list[Copy] = []
    size = 0
    for copy in copies:
        if piece and size + copy.nbytes > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append(copy)
        size += copy.nbytes
    if piece:
        yield piece
