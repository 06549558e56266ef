"""Captures a lens of every pass of a generation, in the submission that draws its token."""

from __future__ import annotations

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder
from compute.sampling.sampler import RING

from .lens_cells import result_words
from .lens_chunk import LensChunk, positions_at_once
from .lens_matrices import LensMatrices
from .lens_pass import LensPass


class LensCapture:
    """Appends a lens to passes: all context rows for the first of them, the newest row for each later one.

    The target is the token that the pass draws. Only the GPU knows it at that time, so a copy brings it from the draw
    to the lens.
    """

    def __init__(self, engine: Engine, top: int, context: int, matrices: LensMatrices | None = None) -> None:
        """top: tokens to report for each cell; context: rows of the first pass; matrices: of a lens file.

        Raises `UsageError` when `top` is out of range or no lens can read the model, `MemoryBudgetError`.
        """
        lens = LensPass(engine, matrices)
        self._matrices = matrices
        lens.check(None, top)
        self._engine, self.points, self.top = engine, lens.points, top
        self._width = 4 * len(self.points) * result_words(top)  # bytes of a row's results
        self.size = context * self._width
        # `LensPass` uses the same chunks, so that verifying a recording gives the same bits.
        self._newest = LensChunk(engine, self.points, 1)
        at_once = positions_at_once(engine, len(self.points)) if context > 1 else 1
        self._first: LensChunk | None = LensChunk(engine, self.points, at_once) if context > 1 else self._newest
        usage = wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        self._aims = engine.device.create_buffer(label="lens aims", size=16 * -(-context // at_once), usage=usage)

    def encode(self, encoder: ComputeEncoder, step: int, target: wgpu.GPUBuffer, offset: int) -> int:
        """Append the lens of the pass that draws the token of `step`, and the copy of its results. Submit immediately.

        Returns the number of bytes written to `target`: results as in wgsl/lens/top.wgsl, [rows, points].
        """
        rows = self._engine.registry.rows
        chunk = self._first or self._newest
        first = 0 if self._first is not None else rows - 1
        starts = range(first, rows, chunk.positions)
        aims = np.asarray([(start, rows - 1, 0, self.top) for start in starts], np.uint32)
        self._engine.device.queue.write_buffer(self._aims, 0, aims)
        sampler = self._engine.sampler
        drawn = step % RING * sampler.stride  # the token is the first word of a draw
        for number, start in enumerate(starts):
            encoder.copy(self._aims, 16 * number, chunk.aims, 0, 16)
            encoder.copy(sampler.result, drawn, chunk.aims, 8, 4)
            encoder.run(chunk.dispatches(self._matrices))
            count = min(chunk.positions, rows - start)
            encoder.copy(chunk.results, 0, target, offset + (start - first) * self._width, count * self._width)
        self._first = None  # the large chunk is never needed again
        return (rows - first) * self._width
