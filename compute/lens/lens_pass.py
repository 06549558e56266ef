"""The logit lens on the GPU: what the model would predict if it ended after each block."""

from __future__ import annotations

from functools import partial

import numpy as np
import wgpu

from compute.edits.targets import Kind
from compute.errors import UsageError, option
from compute.forward.engine import Engine
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.wgpu_native import ComputeEncoder, Fence, poll, work_done

from .lens_cells import DEFAULT_TOP, MAX_TOP, LensCells, parse_cells, result_words
from .lens_chunk import LensChunk, positions_at_once
from .lens_matrices import LensMatrices
from .points import lens_points
from .self_check import LOGITS_CHECK, SelfCheck


class LensPass:
    """Reads the residual stream of the engine's latest pass through the final norm and the head.

    Norm and head are those of the moment when it was made: edits of their weights need another one.
    `newest`, `request` and `request_check` never block: they submit the work, and `take` and `take_check` return the
    results once they have arrived.
    """

    def __init__(self, engine: Engine, matrices: LensMatrices | None = None, *, halves: bool = False) -> None:
        """matrices: of a lens file, None for the logit lens.

        halves: submit a single position in two parts, the second by `take` once the first is done, so that frames in
        between are not late where the GPU is slow. Raises `UsageError` when no lens can read the model.
        """
        if engine.activations is None:
            raise UsageError("the model was loaded without activations: load it with LoadOptions(trace=True)")
        self._engine, self.matrices = engine, matrices
        self.points = lens_points(engine.description)
        self._chunks: dict[int, LensChunk] = {}  # by positions, made at first use
        self._readback: AsyncReadback[LensCells] = AsyncReadback(engine.device, "lens")
        self._checks: AsyncReadback[SelfCheck] = AsyncReadback(engine.device, "lens check")
        self._halves = halves
        self._begun: tuple[Fence, partial[bool]] | None = None  # the first half, and what requests the second
        self._final: tuple[wgpu.GPUBuffer, int] | None = None  # logits, and the row of the last cell

    def check(self, target: int | None, top: int) -> None:
        """Raise `UsageError` for a token or a number of tokens that the model or the lens does not have."""
        vocabulary = self._engine.config.vocabulary
        most = min(MAX_TOP, vocabulary)
        if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= most:
            raise UsageError(f"{option('top', top)}: must be from 1 to {most}")
        if target is not None and not 0 <= target < vocabulary:
            raise UsageError(f"{option('target', target)}: must be from 0 to {vocabulary - 1}")

    def newest(self, target: int | None = None, top: int = DEFAULT_TOP) -> bool:
        """Request all points of the newest position. False while an earlier result is in flight."""
        last = self._engine.registry.rows - 1
        return self.request(range(last, last + 1), target, top)

    def request(self, positions: range, target: int | None = None, top: int = DEFAULT_TOP) -> bool:
        """Request all points of these context rows (one after another). False while a result is in flight.

        target: a token id, whose logit and rank are wanted; top: tokens to report for each cell, up to 100.
        Raises `UsageError` for values out of range.
        """
        self.check(target, top)
        rows = self._engine.registry.rows
        if not positions or positions.step != 1 or positions.start < 0 or positions.stop > rows:
            raise UsageError(f"positions {positions.start} to {positions.stop - 1}: the latest pass has {rows} rows")
        if self._begun is not None or self._readback.in_flight:
            return False
        size = 4 * len(positions) * len(self.points) * result_words(top)
        decode = partial(parse_cells, points=self.points, positions=positions, target=target, top=top)
        if self._halves and len(positions) == 1:
            chunk = self._chunk(1)
            chunk.begin(positions.start, target, top, self.matrices)
            self._final = chunk.logits, len(self.points) - 1
            second = partial(self._readback.request_copy, partial(chunk.finish, 1, top), size, decode)
            self._begun = work_done(self._engine.device), second
            return True
        return self._readback.request_copy(partial(self._submit, positions, target, top), size, decode)

    @property
    def waiting(self) -> bool:
        """True while a result is in flight."""
        return self._begun is not None or self._readback.in_flight or self._checks.in_flight

    def take(self) -> LensCells | None:
        """Return the result once after it has arrived, otherwise None."""
        if self._begun is not None:
            poll(self._engine.device)
            fence, second = self._begun
            if fence.done:
                self._begun = None
                second()
            return None
        return self._readback.take()

    def all(self, target: int | None = None, top: int = DEFAULT_TOP) -> LensCells:
        """All points of every context row of the latest pass. Blocks, so never call it inside a frame."""
        return self.at(range(self._engine.registry.rows), target, top)

    def at(self, positions: range, target: int | None = None, top: int = DEFAULT_TOP) -> LensCells:
        """What `request` requests. Blocks."""
        while not self.request(positions, target, top):
            poll(self._engine.device, wait=True)
            self.take()
        poll(self._engine.device, wait=True)
        cells = self.take()
        assert cells is not None
        return cells

    def logits_error(self) -> float | None:
        """The largest difference between the logits of the last cell and the model's own. Blocks.

        For a result that contains the newest position. None when the lens file translates the last point, or edits
        change what comes after it, so that they need not agree.
        """
        if not self._checkable:
            return None
        assert self._final is not None
        (buffer, row), head = self._final, self._engine.description.head
        data = self._engine.device.queue.read_buffer(buffer, 4 * row * head.columns, 4 * head.vocabulary)
        return _largest_difference(np.frombuffer(data, np.float32), self._engine.read_logits()[: head.vocabulary])

    def request_check(self) -> bool:
        """Request the comparison of the last cell's logits with the model's own.

        Call it after a request that contains the newest position, before the next pass begins. False while an earlier
        check is in flight, and when there is nothing to compare; see `logits_error`.
        """
        if not self._checkable or self._final is None:
            return False
        (buffer, row), head = self._final, self._engine.description.head
        size = 4 * head.vocabulary

        def copy(staging: wgpu.GPUBuffer) -> None:
            encoder = ComputeEncoder(self._engine.device)
            encoder.copy(buffer, 4 * row * head.columns, staging, 0, size)
            encoder.copy(self._engine.logits_buffer, 0, staging, size, size)
            encoder.submit()

        return self._checks.request_copy(copy, 2 * size, _checked)

    def take_check(self) -> SelfCheck | None:
        """Return the requested check once after its logits have arrived, otherwise None."""
        return self._checks.take()

    @property
    def _checkable(self) -> bool:
        translated = self.matrices is not None and self.points[-1] in self.matrices.file.entries
        return not translated and not _edits_logits(self._engine)

    def _submit(self, positions: range, target: int | None, top: int, staging: wgpu.GPUBuffer) -> None:
        chunk = self._chunk(positions_at_once(self._engine, len(self.points)) if len(positions) > 1 else 1)
        width = 4 * len(self.points) * result_words(top)
        for first in range(positions.start, positions.stop, chunk.positions):
            count = min(chunk.positions, positions.stop - first)
            chunk.submit(first, count, target, top, self.matrices, staging, (first - positions.start) * width)
            self._final = chunk.logits, count * len(self.points) - 1

    def _chunk(self, positions: int) -> LensChunk:
        if positions not in self._chunks:
            self._chunks[positions] = LensChunk(self._engine, self.points, positions)
        return self._chunks[positions]


def _checked(data: bytes) -> SelfCheck:
    """The check of two rows of logits, float32 [2, vocabulary]."""
    ours, own = np.frombuffer(data, np.float32).reshape(2, -1)
    return SelfCheck(LOGITS_CHECK, _largest_difference(ours, own))


def _largest_difference(ours: np.ndarray, own: np.ndarray) -> float:
    same = (ours == own) | (np.isnan(ours) & np.isnan(own))
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0, np.abs(ours - own)).max())


def _edits_logits(engine: Engine) -> bool:
    """True when edits change what comes after the last point, so that the logits need not equal it."""
    description = engine.description
    norm, head = description.final_norm, description.head
    after = {head.output} if norm is None else {head.output, norm.output}
    return any(edit.target.kind is not Kind.WEIGHT and edit.target.point in after for edit in engine.edits)
