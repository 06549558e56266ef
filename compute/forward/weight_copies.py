"""Copies of edited weights: float32, in the layout of the weight. The stored weights stay as they are."""

from __future__ import annotations

import numpy as np
import wgpu

from compute.errors import MemoryBudgetError
from compute.gpu.wgpu_native import Dispatch
from compute.io.size_text import size_text
from compute.models.operations import Weight
from compute.models.registry import Shard, TensorStorage
from compute.weights.upload import texture_tile

from .edit_points import EditPoints
from .memory_budget import free_bytes
from .model_memory import ModelMemory
from .program import resource

_TALLEST = 32768  # rows of a grid


def check_memory(memory: ModelMemory, names: tuple[str, ...]) -> None:
    """Raise `MemoryBudgetError` when copies of these weights do not fit beside the model."""
    needed = sum(4 * memory.description.weights[name].count for name in names)
    free = free_bytes(memory.device.adapter, memory.nbytes)
    if free is not None and needed > free:
        raise MemoryBudgetError(
            f"edits of {', '.join(names)} need {size_text(needed)} of GPU memory for copies in float32,"
            f" {size_text(free)} are free: edit fewer weights or use a smaller model"
        )


def weight_copy(memory: ModelMemory, name: str) -> TensorStorage:
    """Memory for a copy of a weight, not yet filled."""
    storage, weight = memory.storages[name], memory.description.weights[name]
    columns = _columns(weight)
    rows = 1 if len(weight.shape) == 1 else weight.shape[0]
    if storage.kind == "texture":
        (shard,) = storage.shards
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.COPY_SRC
        tile = texture_tile(memory.device, rows, columns // 4)
        size = (tile, -(-rows // tile) * columns // 4, 1)
        texture = memory.device.create_texture(label=f"edited {name}", size=size, format="rgba32float", usage=usage)
        copy = Shard(texture, 0, 16 * size[0] * size[1], shard.first_row, shard.rows)
        return TensorStorage("texture", "f32", tile, (copy,))
    limit = memory.device.limits["max-storage-buffer-binding-size"]
    at_once = min(rows, limit // (4 * columns))
    shards = []
    for first in range(0, rows, at_once):
        count = min(at_once, rows - first)
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        buffer = memory.device.create_buffer(label=f"edited {name}", size=4 * count * columns, usage=usage)
        # The shard of a vector counts its values as rows.
        whole = storage.shards[0].rows if len(weight.shape) == 1 else count
        shards.append(Shard(buffer, 0, buffer.size, first, whole))
    return TensorStorage("buffer", "f32", 0, tuple(shards))


def fill_copy(memory: ModelMemory, name: str, copy: TensorStorage, points: EditPoints) -> list[Dispatch]:
    """The dispatches that write the edited weight to its copy."""
    storage, weight = memory.storages[name], memory.description.weights[name]
    columns, vector = _columns(weight), len(weight.shape) == 1
    kernel = memory.kernels.get(
        "edit/weight", columns=columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile,
        result_tile=copy.tile,
    )  # fmt: skip
    run = []
    for source in storage.shards:
        for target in copy.shards:
            first = max(source.first_row, target.first_row)
            end = 1 if vector else min(source.first_row + source.rows, target.first_row + target.rows)
            if end <= first:
                continue
            values = (points.index(name), end - first, first, first - source.first_row, first - target.first_row)
            params = memory.device.create_buffer_with_data(
                data=np.asarray([*values, 0, 0, 0], np.uint32), usage=wgpu.BufferUsage.UNIFORM
            )
            result = target.resource if storage.kind == "texture" else resource(target)
            groups = (-(-columns // 256), min(end - first, _TALLEST), 1)
            bound = {"params": params, "weight": resource(source), "result": result, **points.edits.bindings}
            run.append(kernel.dispatch(groups, bound, label=f"edits of {name}"))
    return run


def _columns(weight: Weight) -> int:
    """Columns of the weight as a matrix of quads; the buffer of a vector is filled up to whole quads."""
    return -(-weight.shape[-1] // 4) * 4
