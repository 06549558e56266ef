"""Rows of weight matrices, read back from the GPU as they are stored there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.program import resource
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.models.operations import Weight

_SLOT = 256  # bytes from the uniforms of one dispatch to those of the next, and what offsets of rows are multiples of
_NO_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True)
class WeightRow:
    """Row `index` of the matrix `name`: float32 [columns]."""

    name: str
    index: int
    values: np.ndarray


class WeightRows:
    """Reads a few rows at once. `request` never blocks; `take` returns what has arrived."""

    def __init__(self, engine: Engine, matrices: Sequence[Weight], most: int) -> None:
        """matrices: those that rows are requested of; most: rows of one request."""
        self._engine, self._matrices = engine, {matrix.name: matrix for matrix in matrices}
        columns = max((matrix.shape[1] for matrix in matrices), default=0)
        self._stride = -(-4 * columns // _SLOT) * _SLOT
        self._most = most
        usage = wgpu.BufferUsage
        self._rows = self._buffer("rows", most * self._stride, usage.STORAGE | usage.COPY_SRC)
        shards = max((len(engine.storages[name].shards) for name in self._matrices), default=0)
        self._uniforms = self._buffer("uniforms", most * (1 + shards) * _SLOT, usage.UNIFORM | usage.COPY_DST)
        self._readback: AsyncReadback[tuple[WeightRow, ...]] = AsyncReadback(engine.device, "weight rows")

    @property
    def pending(self) -> bool:
        """True while rows are in flight."""
        return self._readback.in_flight

    def request(self, rows: Sequence[tuple[str, int]]) -> bool:
        """Request rows by matrix and index. False while others are in flight. Raises `UsageError` for unknown ones."""
        for name, index in rows:
            if name not in self._matrices or not 0 <= index < self._matrices[name].shape[0]:
                raise UsageError(f"{name}[{index}]: there is no such row to read")
        wanted = tuple(rows[: self._most])
        size = len(wanted) * self._stride
        return self._readback.request_copy(partial(self._submit, wanted, size), size, partial(self._parse, wanted))

    def take(self) -> tuple[WeightRow, ...] | None:
        """Return the rows once after they have arrived, otherwise None."""
        return self._readback.take()

    def _submit(self, rows: tuple[tuple[str, int], ...], size: int, staging: wgpu.GPUBuffer) -> None:
        uniforms: list[tuple[int, ...]] = []
        run = [dispatch for at, row in enumerate(rows) for dispatch in self._dispatches(at, row, uniforms)]
        words = np.zeros((len(uniforms), _SLOT // 4), np.uint32)
        for line, values in zip(words, uniforms, strict=True):
            line[: len(values)] = values
        self._engine.device.queue.write_buffer(self._uniforms, 0, words)
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(run)
        encoder.copy(self._rows, 0, staging, 0, size)
        encoder.submit()

    def _dispatches(self, at: int, row: tuple[str, int], uniforms: list[tuple[int, ...]]) -> list[Dispatch]:
        """Copy a row to slot `at`: the kernel that reads a token's row of the head reads rows of any matrix."""
        name, index = row
        storage, columns = self._engine.storages[name], self._matrices[name].shape[1]
        kernel = self._engine.kernels.get(
            "lens/unembed", columns=columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile
        )
        aim = self._uniform(uniforms, 0, 0, index, _NO_TOKEN)
        found = []
        for number, shard in enumerate(storage.shards):
            bound: dict[str, Resource] = {
                "aim": aim,
                "params": self._uniform(uniforms, shard.first_row, shard.rows, int(number == 0)),
                "weight": resource(shard),
                "y": (self._rows, at * self._stride, 4 * columns),
            }
            found.append(kernel.dispatch((-(-columns // 256), 1, 1), bound))
        return found

    def _uniform(self, uniforms: list[tuple[int, ...]], *values: int) -> Resource:
        uniforms.append(values)
        return (self._uniforms, (len(uniforms) - 1) * _SLOT, 16)

    def _parse(self, rows: tuple[tuple[str, int], ...], data: bytes) -> tuple[WeightRow, ...]:
        values = np.frombuffer(data, np.float32).reshape(len(rows), self._stride // 4)
        return tuple(
            WeightRow(name, index, values[at, : self._matrices[name].shape[1]].copy())
            for at, (name, index) in enumerate(rows)
        )

    def _buffer(self, label: str, size: int, usage: int) -> wgpu.GPUBuffer:
        return self._engine.device.create_buffer(label=f"weight {label}", size=max(size, _SLOT), usage=usage)
