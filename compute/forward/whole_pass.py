"""A pass over a whole text without a draw, with the logits of the last row or of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import wgpu

from compute.errors import MemoryBudgetError
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Readback, poll
from compute.models.config import ModelConfig

from .engine import Engine
from .pass_plan import Pass, state_of

_PIECE = 64 << 20  # bytes of logits that are read back together


class WholePass:
    """Runs texts of up to `engine.context` tokens. Afterwards caches and activations contain every row."""

    def __init__(self, engine: Engine) -> None:
        """Allocates nothing until the logits of every row are wanted."""
        self._engine, self._program = engine, engine.prefill
        self._rows_of_logits: tuple[wgpu.GPUBuffer, list[Dispatch]] | None = None

    @property
    def config(self) -> ModelConfig:
        """The sizes of the model."""
        return self._engine.config

    def run(self, tokens: Sequence[int], position: int = 0) -> None:
        """Compute everything, of the logits those of the last row. Does not wait.

        position: the absolute position of the first token.
        """
        for first, count in self._chunks(tokens, position):
            head = self._program.head if first + count == len(tokens) else ()
            encoder = ComputeEncoder(self._engine.device)
            encoder.run([*self._program.body, *head])
            encoder.submit()
        self._completed(tokens, position)

    def logits(self, tokens: Sequence[int], position: int = 0) -> Iterator[np.ndarray]:
        """As `run`, and yield the logits of every row in pieces: float32 [some rows, padded vocabulary]. Blocks.

        The pass is complete once the last piece has been taken. Raises `MemoryBudgetError` when the logits of a chunk
        exceed a binding of the adapter.
        """
        engine, (source, head) = self._engine, self._all_rows()
        width = engine.description.head.columns
        space = min(len(tokens), max(self._program.rows, _PIECE // (4 * width)))
        staging = Readback(engine.device, 4 * space * width, "logits of every row")
        filled = 0
        for first, count in self._chunks(tokens, position):
            if filled + count > space:
                yield self._read(staging)[: filled * width].reshape(filled, width)
                filled = 0
            encoder = ComputeEncoder(engine.device)
            encoder.run([*self._program.body, *head])
            encoder.copy(source, 0, staging.buffer, 4 * filled * width, 4 * count * width)
            if first + count == len(tokens):
                encoder.copy(source, 4 * (count - 1) * width, engine.logits_buffer, 0, 4 * width)
            encoder.submit()
            filled += count
        self._completed(tokens, position)
        yield self._read(staging)[: filled * width].reshape(filled, width)

    def all_logits(self, tokens: Sequence[int], position: int = 0) -> np.ndarray:
        """As `logits`, in one array without the padding of the vocabulary: float32 [tokens, vocabulary]. Blocks."""
        vocabulary = self.config.vocabulary
        whole = np.empty((len(tokens), vocabulary), np.float32)
        first = 0
        for piece in self.logits(tokens, position):
            whole[first : first + len(piece)] = piece[:, :vocabulary]
            first += len(piece)
        return whole

    def _chunks(self, tokens: Sequence[int], position: int) -> Iterator[tuple[int, int]]:
        """First row and number of rows of each chunk, after the state for it has been written."""
        engine, total = self._engine, len(tokens)
        engine.write_history(tokens)
        engine.mark_cached((), 0)
        for first in range(0, total, self._program.rows):
            count = min(self._program.rows, total - first)
            engine.write_state(state_of(0, first, count, total - 1, position, total, 0))
            yield first, count

    def _completed(self, tokens: Sequence[int], position: int) -> None:
        if position == 0:
            self._engine.mark_cached(tokens, len(tokens))
        self._engine.completed(Pass((), 0, len(tokens), position, cached=False))

    def _all_rows(self) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer that contains the logits of a chunk after the dispatches, and the dispatches."""
        if self._rows_of_logits is None:
            device = self._engine.device
            size = 4 * self._program.rows * self._engine.description.head.columns
            limit = min(device.limits["max-storage-buffer-binding-size"], device.limits["max-buffer-size"])
            if size > limit:
                raise MemoryBudgetError(
                    f"the logits of {self._program.rows} rows need {size / 1e6:.0f} MB in one binding, this adapter"
                    f' allows {limit / 1e6:.0f} MB: use rows="last"'
                )
            usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
            buffer = device.create_buffer(label="logits of every row", size=size, usage=usage)
            self._rows_of_logits = buffer, self._program.head_of_rows(buffer)
        return self._rows_of_logits

    def _read(self, staging: Readback) -> np.ndarray:
        staging.request()
        poll(self._engine.device, wait=True)
        return np.frombuffer(staging.read(), np.float32)
