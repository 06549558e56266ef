"""The weights of one model minus those of another: zero where both use the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.forward.program import resource
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Shard, Tensor, TensorStorage

_ZEROS = 16 << 20  # bytes: the largest buffer of zeros, which stands for all weights that are the same
_TALLEST = 32768  # rows of a grid
_SLICE = 1 << 22  # values of a dispatch


def changed_weights(a: Engine, b: Engine) -> tuple[tuple[str, int], ...]:
    """The weights that differ, because the models do or edits change them; with a number that changes with edits."""
    edits = a.edit_changes, b.edit_changes
    return tuple(
        (tensor.name, hash((id(tensor.storage), id(b.registry[tensor.name].storage), edits)))
        for tensor in a.registry
        if tensor.kind == "weight" and tensor.storage is not b.registry[tensor.name].storage
    )


def difference_bytes(a: Engine, b: Engine) -> int:
    """GPU memory that the differences take, in bytes."""
    changed = {name for name, _ in changed_weights(a, b)}
    return sum(4 * _rows(a.registry[name]) * _columns(a.registry[name]) for name in changed) + _ZEROS


class WeightDifferences:
    """`storages` has the difference of every weight, float32; `work` fills it. nbytes: memory that it takes."""

    def __init__(self, a: Engine, b: Engine) -> None:
        self._a, self._b, self.known = a, b, changed_weights(a, b)
        weights = [tensor for tensor in a.registry if tensor.kind == "weight"]
        same = [4 * _rows(tensor) * _columns(tensor) for tensor in weights if tensor.name not in dict(self.known)]
        self._zeros = self._buffer("zeros", max(4, min(max(same, default=4), _ZEROS)))
        self.nbytes = self._zeros.size
        self.storages = {tensor.name: self._storage(tensor) for tensor in weights}

    def _buffer(self, label: str, size: int) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        return self._a.device.create_buffer(label=label, size=size, usage=usage)

    def _storage(self, tensor: Tensor) -> TensorStorage:
        rows, columns = _rows(tensor), _columns(tensor)
        changed = tensor.name in dict(self.known)
        most = self._a.device.limits["max-storage-buffer-binding-size"] if changed else self._zeros.size
        at_once = max(1, min(rows, most // (4 * columns)))
        shards = []
        for first in range(0, rows, at_once):
            count = min(at_once, rows - first)
            size = 4 * count * columns
            buffer = self._buffer(f"compared {tensor.name}", size) if changed else self._zeros
            self.nbytes += size if changed else 0
            # The shard of a vector counts its values as rows.
            shards.append(Shard(buffer, 0, size, first, tensor.columns if tensor.vector else count))
        return TensorStorage("buffer", "f32", 0, tuple(shards))

    def work(self, *, relative: bool) -> Iterator[tuple[Dispatch, int]]:
        """The dispatches, each with the number of values that it reads."""
        for name, _ in self.known:
            for minus, engine in enumerate((self._a, self._b)):
                for source in engine.registry[name].storage.shards:
                    for target in self.storages[name].shards:
                        yield from self._rows(engine.registry[name], source, target, bool(minus), relative)

    def _rows(
        self, tensor: Tensor, source: Shard, target: Shard, minus: bool, relative: bool
    ) -> Iterator[tuple[Dispatch, int]]:
        storage, columns = tensor.storage, _columns(tensor)
        kernel = self._a.kernels.get(
            "compare/weight", columns=columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile, minus=minus
        )
        begin = max(source.first_row, target.first_row)
        end = 1 if tensor.vector else min(source.first_row + source.rows, target.first_row + target.rows)
        step = max(1, _SLICE // columns)
        for first in range(begin, end, step):
            rows = min(step, end - first)
            words = [rows, first - source.first_row, first - target.first_row, int(relative)]
            params = self._a.device.create_buffer_with_data(
                data=np.asarray(words, np.uint32), usage=wgpu.BufferUsage.UNIFORM
            )
            bound: dict[str, Resource] = {"params": params, "weight": resource(source), "result": resource(target)}
            groups = (-(-columns // 256), min(rows, _TALLEST), 1)
            yield kernel.dispatch(groups, bound, label=f"compared {tensor.name}"), rows * columns


def _rows(tensor: Tensor) -> int:
    return 1 if tensor.vector else tensor.rows or 1


def _columns(tensor: Tensor) -> int:
    """Columns as a matrix of quads; the buffer of a vector is filled up to whole quads."""
    return -(-tensor.columns // 4) * 4
