"""A pass over a whole text, or a batch of texts, without a draw: logits of the last row or of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import wgpu

from compute.errors import MemoryBudgetError
from compute.gpu.slices import WHOLE, Pace, Sliced, read, submitted, waited
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Readback, poll
from compute.models.config import ModelConfig

from .engine import Engine
from .pass_plan import ONE_SEQUENCE, Pass, state_of
from .rows_program import RowsProgram

_ROWS = 256  # of a chunk whose logits are all computed, at most: they take 200 kB a row
_PIECE = 64 << 20  # bytes of logits that are read back together


class WholePass:
    """Runs texts of up to `engine.context` tokens. Afterwards caches and activations contain every row.

    Texts of the same length can run as a batch in one pass: `tokens` then contains them one after another, and
    `sequence` is the number of tokens of each. The texts do not see each other, and each begins at `position`.
    `text_start` is the index in the text of the first token, from which edits count positions.
    """

    def __init__(self, engine: Engine) -> None:
        """Allocates nothing until the logits of more than one row are wanted."""
        self._engine = engine
        self._logits: wgpu.GPUBuffer | None = None  # of every row of a chunk
        self._rows_of_logits: WeakKeyDictionary[RowsProgram, list[Dispatch]] = WeakKeyDictionary()  # by program

    @property
    def config(self) -> ModelConfig:
        """The sizes of the model."""
        return self._engine.config

    def run(self, tokens: Sequence[int], position: int = 0, sequence: int = ONE_SEQUENCE, text_start: int = 0) -> None:
        """Compute everything, of the logits those of the last row. Does not wait.

        position: the absolute position of the first token.
        """
        program = self._engine.prefill_for(len(tokens))
        for first, count in self._chunks(program, tokens, position, sequence, text_start):
            head = program.head if first + count == len(tokens) else ()
            encoder = ComputeEncoder(self._engine.device)
            encoder.run([*program.body, *head], early=True)
            encoder.submit()
        self._completed(tokens, position, sequence)

    def last_logits(
        self, tokens: Sequence[int], position: int = 0, sequence: int = ONE_SEQUENCE, text_start: int = 0
    ) -> np.ndarray:
        """As `run`, and the logits after every sequence: float32 [sequences, padded vocabulary]. Blocks."""
        return waited(self._engine.device, self.last_logits_sliced(tokens, position, sequence, text_start))

    def last_logits_sliced(
        self,
        tokens: Sequence[int],
        position: int = 0,
        sequence: int = ONE_SEQUENCE,
        text_start: int = 0,
        pace: Pace = WHOLE,
    ) -> Sliced[np.ndarray]:
        """As `last_logits`, in slices."""
        engine, device = self._engine, self._engine.device
        program = engine.prefill_for(len(tokens))
        if len(tokens) <= sequence:
            for first, rows in self._chunks(program, tokens, position, sequence, text_start):
                head = program.head if first + rows == len(tokens) else ()
                yield from submitted(device, [*program.body, *head], pace)
            self._completed(tokens, position, sequence)
            staging = Readback(device, engine.logits_buffer.size, "logits of the last row")
            _copy(device, [(engine.logits_buffer, 0, staging.buffer, 0, staging.size)])
            row = np.frombuffer((yield from read(staging)), np.float32)
            return row[: self.config.padded_vocabulary][None]
        width = 4 * engine.description.head.weight.shape[1]  # bytes of a row
        count = len(tokens) // sequence
        usage = wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        last_rows = device.create_buffer(label="last rows", size=count * width, usage=usage)
        source = program.head_rows
        for first, rows in self._chunks(program, tokens, position, sequence, text_start):
            yield from submitted(device, program.body, pace)
            found = range(first // sequence, (first + rows) // sequence)
            ends = [(index * sequence + sequence - 1 - first, index) for index in found]
            copies = [(source, row * width, last_rows, index * width, width) for row, index in ends]
            _copy(device, copies)
        self._completed(tokens, position, sequence)
        logits = yield from self._head_of(last_rows, count, text_start + sequence - 1)
        engine.set_text_start(text_start)
        return logits

    def logits(
        self, tokens: Sequence[int], position: int = 0, sequence: int = ONE_SEQUENCE, text_start: int = 0
    ) -> Iterator[np.ndarray]:
        """As `run`, and yield the logits of every row in pieces: float32 [some rows, padded vocabulary]. Blocks.

        The pass is complete once the last piece has been taken. Raises `MemoryBudgetError` when the logits of a chunk
        exceed a binding of the adapter.
        """
        engine, program = self._engine, self._engine.prefill_for(min(len(tokens), _ROWS))
        source, head = self._all_rows(program)
        width = engine.description.head.columns
        space = min(len(tokens), max(program.rows, _PIECE // (4 * width)))
        staging = Readback(engine.device, 4 * space * width, "logits of every row")
        filled = 0
        for first, count in self._chunks(program, tokens, position, sequence, text_start):
            if filled + count > space:
                yield self._read(staging)[: filled * width].reshape(filled, width)
                filled = 0
            encoder = ComputeEncoder(engine.device)
            encoder.run([*program.body, *head], early=True)
            encoder.copy(source, 0, staging.buffer, 4 * filled * width, 4 * count * width)
            if first + count == len(tokens):
                encoder.copy(source, 4 * (count - 1) * width, engine.logits_buffer, 0, 4 * width)
            encoder.submit()
            filled += count
        self._completed(tokens, position, sequence)
        yield self._read(staging)[: filled * width].reshape(filled, width)

    def all_logits(
        self, tokens: Sequence[int], position: int = 0, sequence: int = ONE_SEQUENCE, text_start: int = 0
    ) -> np.ndarray:
        """As `logits`, in one array without the padding of the vocabulary: float32 [tokens, vocabulary]. Blocks."""
        vocabulary = self.config.vocabulary
        whole = np.empty((len(tokens), vocabulary), np.float32)
        first = 0
        for piece in self.logits(tokens, position, sequence, text_start):
            whole[first : first + len(piece)] = piece[:, :vocabulary]
            first += len(piece)
        return whole

    def _chunks(
        self, program: RowsProgram, tokens: Sequence[int], position: int, sequence: int, text_start: int
    ) -> Iterator[tuple[int, int]]:
        """First row and number of rows of each chunk, after the state for it has been written."""
        engine, total = self._engine, len(tokens)
        engine.write_history(tokens, text_start=text_start)
        engine.mark_cached((), 0)
        for first in range(0, total, program.rows):
            count = min(program.rows, total - first)
            engine.write_state(state_of(0, first, count, total - 1, position, total, 0, sequence=sequence))
            yield first, count

    def _completed(self, tokens: Sequence[int], position: int, sequence: int) -> None:
        if position == 0 and len(tokens) <= sequence:
            self._engine.mark_cached(tokens, len(tokens))
        self._engine.completed(Pass((), 0, len(tokens), position, cached=False))

    def _head_of(self, rows: wgpu.GPUBuffer, count: int, index: int) -> Sliced[np.ndarray]:
        """The logits of the first `count` of `rows`, float32 [rows, inputs of the head].

        index: of the token of each row in its text.
        """
        engine, program = self._engine, self._engine.prefill_for(min(count, _ROWS))
        source, head = self._all_rows(program)
        row, width = 4 * engine.description.head.weight.shape[1], 4 * engine.description.head.columns  # bytes
        staging = Readback(engine.device, count * width, "logits of the last rows")
        for first in range(0, count, program.rows):
            at_once = min(program.rows, count - first)
            engine.set_text_start(index)  # each row is a sequence that begins there
            engine.write_state(state_of(0, 0, at_once, at_once - 1, 0, at_once, 0, sequence=1))
            encoder = ComputeEncoder(engine.device)
            encoder.copy(rows, first * row, program.head_rows, 0, at_once * row)
            encoder.run(head)
            encoder.copy(source, 0, staging.buffer, first * width, at_once * width)
            encoder.submit()
            if first + at_once < count:
                yield None
        return np.frombuffer((yield from read(staging)), np.float32).reshape(count, -1)

    def _all_rows(self, program: RowsProgram) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer that contains the logits of a chunk after the dispatches, and the dispatches."""
        size = 4 * program.rows * self._engine.description.head.columns
        if self._logits is None or self._logits.size < size:
            device = self._engine.device
            limit = min(device.limits["max-storage-buffer-binding-size"], device.limits["max-buffer-size"])
            if size > limit:
                raise MemoryBudgetError(
                    f"the logits of {program.rows} rows need {size / 1e6:.0f} MB in one binding, this adapter"
                    f' allows {limit / 1e6:.0f} MB: use rows="last"'
                )
            usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
            self._logits = device.create_buffer(label="logits of every row", size=size, usage=usage)
            self._rows_of_logits.clear()
        if program not in self._rows_of_logits:
            self._rows_of_logits[program] = program.head_of_rows(self._logits)
        return self._logits, self._rows_of_logits[program]

    def _read(self, staging: Readback) -> np.ndarray:
        staging.request()
        poll(self._engine.device, wait=True)
        return np.frombuffer(staging.read(), np.float32)


Copy: TypeAlias = tuple[wgpu.GPUBuffer, int, wgpu.GPUBuffer, int, int]


def _copy(device: wgpu.GPUDevice, copies: Sequence[Copy]) -> None:
    """Submit copies (source, offset, target, offset, bytes), if there are any."""
    if not copies:
        return
    encoder = ComputeEncoder(device)
    for copy in copies:
        encoder.copy(*copy)
    encoder.submit()
