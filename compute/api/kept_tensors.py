"""The tensors of a pass in a file, to be compared with those of a later pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from compute.io.array_files import write_npz

from .pass_stream import PassStream


class KeptTensors:
    """Every tensor of a pass at some positions of its text. Only one is in memory, and of the logits a piece."""

    def __init__(self, path: Path, stream: PassStream, positions: range) -> None:
        """Run the pass and write its tensors. Blocks. Raises `OutputError`."""
        self._pieces: list[tuple[int, int]] = []  # of the logits: first row, and rows
        self.last = np.empty(0, np.float32)  # the logits after the last token of the pass
        write_npz(path, self._arrays(stream, positions), replace=False)
        self._file = np.load(path)

    def __enter__(self) -> KeptTensors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def activation(self, name: str) -> np.ndarray:
        """An activation or pattern at the positions."""
        array: np.ndarray = self._file[name]
        return array

    def logits(self, row: int, count: int) -> Iterator[np.ndarray]:
        """The logits of `count` positions from number `row` on, in pieces."""
        for first, rows in self._pieces:
            part = slice(max(row - first, 0), min(row + count - first, rows))
            if part.start < part.stop:
                yield self._file[f"{first}"][part]

    def _arrays(self, stream: PassStream, positions: range) -> Iterator[tuple[str, np.ndarray]]:
        for row, piece in logits_at(stream, positions):
            self.last = piece[-1].copy()
            found = piece[row.start : row.stop]
            if len(found):
                first = sum(rows for _, rows in self._pieces)
                self._pieces.append((first, len(found)))
                yield f"{first}", found
        for name, array in stream.activations():
            yield name, at_positions(array, stream.start, positions)


def logits_at(stream: PassStream, positions: range) -> Iterator[tuple[range, np.ndarray]]:
    """Runs the pass; its logits in pieces, and which rows of the piece are at the positions. Blocks."""
    at = stream.start  # position of the piece's first row
    for piece in stream.logits():
        first = min(max(positions.start - at, 0), len(piece))
        yield range(first, min(max(positions.stop - at, first), len(piece))), piece
        at += len(piece)


def at_positions(array: np.ndarray, start: int, positions: range) -> np.ndarray:
    """The rows at the positions; of attention also the keys. start: position of row 0."""
    rows = slice(positions.start - start, positions.stop - start)
    return np.ascontiguousarray(array[:, rows, rows] if array.ndim == 3 else array[rows])
