"""The cells of weight spans. Weights never change, so they are sampled or pooled once, in slices."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
import wgpu

from compute.gpu.kernels import Kernels, Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor

from .strip_layout import HEIGHT, WIDTH, Span

# Values read between two frames. They take about 20 ms on a software adapter, far less on a GPU.
_SLICE = {"texture": 8 << 20, "buffer": 256 << 20}


class WeightCells:
    """Keeps `values` (float32, one per cell of each weight span) up to date with the layout."""

    def __init__(self, kernels: Kernels, tensors: list[Tensor], layout: str) -> None:
        """layout: how the weights are stored, "texture" or "buffer"."""
        self.tensors = tensors
        self._kernels = kernels
        self._slice = _SLICE[layout]
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        self.values = kernels.device.create_buffer(label="weight cells", size=4 * WIDTH * HEIGHT, usage=usage)
        self._first: dict[str, int] = {}  # offset of a span's values
        self._cells: dict[str, tuple[int, bool]] = {}  # how many it has, and whether they are pooled
        self._queue: deque[tuple[str, int, Dispatch]] = deque()  # tensor, values read, work

    def locate(self, tensor: Tensor, span: Span) -> tuple[int, int, int]:
        """(offset, columns, rows) of a span's values."""
        return self._first[tensor.name], span.cells, 1

    def lay_out(self, spans: Mapping[str, Span], *, pool: bool) -> None:
        """Queue the work for spans whose offset, number of cells or sampling has changed."""
        for name, _, _ in self._queue:  # their offsets may have changed
            self._cells.pop(name, None)
        self._queue.clear()
        at = 0
        for tensor in self.tensors:
            span = spans.get(tensor.name)
            if span is None:
                continue
            known = (span.cells, pool and span.cells < span.values)
            if self._first.get(tensor.name) != at or self._cells.get(tensor.name) != known:
                self._first[tensor.name], self._cells[tensor.name] = at, known
                self._fetch(tensor, span, at, pool=known[1])
            at += span.cells

    @property
    def pending(self) -> bool:
        """True while `work` has something to return."""
        return bool(self._queue)

    def work(self) -> list[Dispatch]:
        """The next slice of the queued work."""
        work: list[Dispatch] = []
        values = 0
        while self._queue and values < self._slice:
            _, count, dispatch = self._queue.popleft()
            values += count
            work.append(dispatch)
        return work

    def _fetch(self, tensor: Tensor, span: Span, target: int, *, pool: bool) -> None:
        storage = tensor.storage
        kernel = self._kernels.get(
            "strip/gather_pool" if pool else "strip/gather",
            columns=tensor.columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile,
        )  # fmt: skip
        groups = span.cells if pool else -(-span.cells // 64)
        for shard in storage.shards:
            rows = tensor.rows_in(shard)
            params = np.asarray([span.cells, span.values, shard.first_row, rows, target, 0, 0, 0], np.uint32)
            buffer = self._kernels.device.create_buffer_with_data(data=params, usage=wgpu.BufferUsage.UNIFORM)
            values: Resource = shard.resource
            if isinstance(shard.resource, wgpu.GPUBuffer):
                values = (shard.resource, shard.offset, shard.size)
            resources: dict[str, Resource] = {"params": buffer, "weight": values, "cells": self.values}
            count = rows * tensor.columns if pool else span.cells
            self._queue.append((tensor.name, count, kernel.dispatch((groups, 1, 1), resources)))
