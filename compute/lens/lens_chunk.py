"""The dispatches of a lens over the points of a few positions, and their buffers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import wgpu

from compute.errors import MemoryBudgetError
from compute.forward.engine import Engine
from compute.forward.memory_budget import free_bytes
from compute.forward.pass_plan import state_of
from compute.forward.program import resource
from compute.forward.rows_program import CHUNK
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.io.size_text import size_text
from compute.models.operations import RmsNorm

from .lens_cells import MAX_TOP, result_words
from .lens_matrices import LensMatrices
from .stream_rows import gather

_BLOCK, _SLICE = 16, 1024  # logits, as in the shaders
_GPU_ROWS = 256  # rows of a chunk on a GPU: more need memory without being faster
_NO_TOKEN = 0xFFFFFFFF


class LensChunk:
    """The lens at every point of `positions` positions. `results`: a result for each cell, [positions, points].

    `aims`: what `aim` writes, as in wgsl/lens/common/aim.wgsl.

    The residual stream is gathered into one matrix, normalized, and multiplied by the head's matrix, which is read once
    for all rows.
    """

    def __init__(self, engine: Engine, points: Sequence[str], positions: int) -> None:
        """Allocates the buffers. Raises `MemoryBudgetError` when they do not fit."""
        self._engine, self._points, self.positions = engine, tuple(points), positions
        self._channels = engine.registry[points[-1]].columns
        self.rows = padded_rows(engine, positions * len(points))
        check_memory(engine, self.rows)
        head = engine.description.head
        usage = wgpu.BufferUsage
        self.aims = self._buffer("aim", 4, usage.UNIFORM)
        self._state = self._buffer("state", 12)
        self._raw = self._buffer("residual stream", self.rows * self._channels)
        self._translated: wgpu.GPUBuffer | None = None
        self._normed = self._buffer("head input", self.rows * self._channels, usage.UNIFORM)
        self.logits = self._buffer("logits", self.rows * head.columns)
        self._parts = self._buffer("parts", 5 * self.rows * -(-head.vocabulary // _SLICE))
        self._block_keys = self._buffer("block keys", self.rows * -(-head.vocabulary // _BLOCK))
        self.results = self._buffer("results", self.rows * result_words(MAX_TOP))
        engine.device.queue.write_buffer(self._state, 0, state_of(0, 0, self.rows, self.rows - 1, 0, self.rows, 0))
        self._gather = gather(engine, self._points, positions, self.aims, self._raw)
        self._head = engine.prefill.head_of(self._normed, self.logits, self.rows, self._state)
        self._cells = self._cell_dispatches()
        self._before: dict[LensMatrices | None, list[Dispatch]] = {}  # for the lens file used last

    def dispatches(self, matrices: LensMatrices | None = None) -> list[Dispatch]:
        """Everything that a chunk needs, after `aim`; matrices: to translate the points with."""
        if matrices not in self._before:
            self._before = {matrices: [*self._translations(matrices), *self._norm_dispatches(matrices)]}
        return [*self._gather, *self._before[matrices], *self._head, *self._cells]

    def aim(self, first: int, target: int | None, top: int) -> None:
        """Choose context rows, target and number of tokens of the dispatches that are submitted from now on."""
        last = self._engine.registry.rows - 1
        words = np.asarray([first, last, _NO_TOKEN if target is None else target, top], np.uint32)
        self._engine.device.queue.write_buffer(self.aims, 0, words)

    def submit(
        self,
        first: int,
        count: int,
        target: int | None,
        top: int,
        matrices: LensMatrices | None,
        staging: wgpu.GPUBuffer,
        at: int,
    ) -> None:
        """Run over `count` context rows from `first` on, and copy their results to byte `at` of `staging`."""
        self.aim(first, target, top)
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(self.dispatches(matrices))
        encoder.copy(self.results, 0, staging, at, 4 * count * len(self._points) * result_words(top))
        encoder.submit()

    def begin(self, first: int, target: int | None, top: int, matrices: LensMatrices | None) -> None:
        """Run up to the logits, from context row `first` on. `finish` does not need that pass any more."""
        self.aim(first, target, top)
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(self.dispatches(matrices)[: -len(self._cells)])
        encoder.submit()

    def finish(self, count: int, top: int, staging: wgpu.GPUBuffer) -> None:
        """Run the rest of what `begin` began, and copy the results of `count` positions to `staging`."""
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(self._cells)
        encoder.copy(self.results, 0, staging, 0, 4 * count * len(self._points) * result_words(top))
        encoder.submit()

    def _buffer(self, label: str, words: int, extra: int = 0) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST | extra
        return self._engine.device.create_buffer(label=f"lens {label}", size=4 * words, usage=usage)

    def _table(self, label: str, values: Sequence[Sequence[int]]) -> wgpu.GPUBuffer:
        data = np.asarray(values, np.uint32)
        usage = wgpu.BufferUsage.STORAGE
        return self._engine.device.create_buffer_with_data(label=f"lens {label}", data=data, usage=usage)

    def _shape(self) -> dict[str, int]:
        return {"channels": self._channels, "points": len(self._points)}

    def _translations(self, matrices: LensMatrices | None) -> list[Dispatch]:
        """What stands between the gathered rows and the norm; without a norm at least a copy."""
        normed = self._engine.description.final_norm is not None
        if matrices is None and normed:
            return []
        if normed and self._translated is None:
            self._translated = self._buffer("translated", self.rows * self._channels)
        target = self._translated if normed and self._translated else self._normed
        pieces = matrices.pieces if matrices else (LensMatrices.nothing(self._engine.device),)
        done = {point for piece in pieces for point in piece.points}
        kernel = self._engine.kernels.get("lens/translate", **self._shape())
        run = []
        for number, piece in enumerate(pieces):
            table = [(self._points.index(point), index) for index, point in enumerate(piece.points)]
            if number == 0:
                table += [(index, _NO_TOKEN) for index, point in enumerate(self._points) if point not in done]
            bound: dict[str, Resource] = {
                "entries": self._table("matrices", table), "rows": self._raw, "weight": piece.weight,
                "bias": piece.bias, "y": target,
            }  # fmt: skip
            groups = (-(-self._channels // 8), len(table), self.positions)
            run.append(kernel.dispatch(groups, bound, label="lens: translate"))
        return run

    def _norm_dispatches(self, matrices: LensMatrices | None) -> list[Dispatch]:
        norm = self._engine.description.final_norm
        if norm is None:
            return []
        kernels = self._engine.kernels
        if isinstance(norm, RmsNorm):
            kernel = kernels.get(
                "forward/rms_norm", columns=norm.columns, size=norm.size, epsilon=repr(norm.epsilon),
                offset=repr(norm.offset), trace=False, head=False,
            )  # fmt: skip
        else:
            kernel = kernels.get(
                "forward/layer_norm", channels=norm.columns, epsilon=repr(norm.epsilon), shift=norm.shift is not None,
                trace=False, head=False,
            )  # fmt: skip
        source = self._raw if matrices is None or self._translated is None else self._translated
        bound: dict[str, Resource] = {
            "state": self._state, "params": self.aims, "x": source, "y": self._normed,
            "scale": resource(self._engine.registry[norm.scale.name].storage.shards[0]),
        }  # fmt: skip
        if norm.shift is not None:
            bound["shift"] = resource(self._engine.registry[norm.shift.name].storage.shards[0])
        return [kernel.dispatch((self.rows, 1, 1), bound, label="lens: norm")]

    def _cell_dispatches(self) -> list[Dispatch]:
        head, kernels = self._engine.description.head, self._engine.kernels
        cells = self.positions * len(self._points)
        sizes = {"vocabulary": head.vocabulary, "columns": head.columns}
        aim: dict[str, Resource] = {"aim": self.aims}
        scanned = aim | {"logits": self.logits, "parts": self._parts, "block_keys": self._block_keys}
        norms = aim | {"rows": self._raw, "results": self.results}
        return [
            kernels.get("lens/norms", **self._shape()).dispatch((cells, 1, 1), norms),
            kernels.get("lens/scan", **sizes).dispatch((-(-head.vocabulary // _SLICE), cells, 1), scanned),
            kernels.get("lens/top", **sizes).dispatch((cells, 1, 1), scanned | {"results": self.results}),
        ]


def padded_rows(engine: Engine, cells: int) -> int:
    """Rows of the head's product for so many cells: see `RowsProgram.head_of`."""
    if engine.layout == "texture" and cells <= CHUNK:
        return 1 << (cells - 1).bit_length()
    return -(-cells // CHUNK) * CHUNK


def positions_at_once(engine: Engine, points: int) -> int:
    """Positions of a chunk, each with a row for every point."""
    rows = CHUNK if engine.layout == "texture" else _GPU_ROWS
    limit = _binding_limit(engine) // (4 * engine.description.head.columns)
    most = max(1, min(rows, limit) // points)
    # Of the rows of the product, as few as possible are padding.
    return max(range(1, most + 1), key=lambda count: (count * points / padded_rows(engine, count * points), count))


def needed_bytes(engine: Engine, rows: int) -> int:
    """GPU memory of a chunk of `rows` rows, in bytes: mostly their logits."""
    head = engine.description.head
    return 4 * rows * (head.columns + 3 * head.weight.shape[1] + head.vocabulary // 8 + result_words(MAX_TOP))


def check_memory(engine: Engine, rows: int) -> None:
    """Raise `MemoryBudgetError` when a chunk of `rows` rows exceeds the free memory, or its logits a binding."""
    logits, limit = 4 * rows * engine.description.head.columns, _binding_limit(engine)
    if logits > limit:
        raise MemoryBudgetError(
            f"the lens needs {size_text(logits)} of logits in one binding, this adapter allows {size_text(limit)}"
        )
    free = free_bytes(engine.device.adapter, engine.gpu_bytes)
    if free is not None and needed_bytes(engine, rows) > free:
        raise MemoryBudgetError(
            f"the lens needs {size_text(needed_bytes(engine, rows))} of GPU memory, {size_text(free)} are free:"
            " load the model with a shorter context or 16-bit weights"
        )


def _binding_limit(engine: Engine) -> int:
    limits = engine.device.limits
    return int(min(limits["max-storage-buffer-binding-size"], limits["max-buffer-size"]))
