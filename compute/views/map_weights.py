"""Adds the weights to Map's pyramid once, in dispatches that each process part of a tensor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.forward.program import resource
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor, TensorStorage
from compute.weights.block_packs import packs_per_row
from compute.weights.block_types import BLOCK_TYPES

from .map_layout import TILE_BLOCKS, MapLayout
from .map_placement import tiles_of

_THREADS = 64  # per workgroup, one per tile
BLOCK_COST = 8  # overhead of a block, in values that could be read in the same time


def packs_of(storage: TensorStorage, columns: int) -> int:
    """`packs` in wgsl/common/values.wgsl for rows of `columns` values."""
    if storage.dtype in BLOCK_TYPES:
        return packs_per_row(BLOCK_TYPES[storage.dtype], columns)
    wide = storage.kind == "texture" and storage.dtype != "f32"
    return -(-columns // 8) if wide else columns // 4


def weight_blocks(
    engine: PassTensors,
    layout: MapLayout,
    pyramid: wgpu.GPUTexture,
    tensor: Tensor,
    placement_words: list[int],
    most: float,
) -> Iterator[Dispatch]:
    """Dispatches that add a weight, in parts that each cost roughly `most` or less; created lazily."""
    storage = tensor.storage
    kernel = engine.kernels.get("map/weight_blocks", storage=storage.kind, dtype=storage.dtype, base=layout.base)
    wide, high = tiles_of(layout.placements[tensor.name], layout.grid)
    tile_cost = _tile_cost(layout)
    tiles_per_dispatch = max(1, int(most / tile_cost / _THREADS)) * _THREADS
    for shard in storage.shards:
        rows = tensor.rows_in(shard)
        for first in range(0, wide * high, tiles_per_dispatch):
            words = [*placement_words, shard.first_row, shard.first_row + rows, wide, high]
            words += [packs_of(storage, tensor.columns), storage.tile, first, 0]
            params = engine.device.create_buffer_with_data(
                data=np.asarray(words, np.uint32), usage=wgpu.BufferUsage.UNIFORM
            )
            bound: dict[str, Resource] = {"params": params, "weight": resource(shard), "pyramid": pyramid}
            count = min(tiles_per_dispatch, wide * high - first)
            yield kernel.dispatch((-(-count // _THREADS), 1, 1), bound, cost=count * tile_cost, label=tensor.name)


def weight_cost(layout: MapLayout, tensor: Tensor) -> float:
    """The total cost of the dispatches of `weight_blocks` for a weight."""
    wide, high = tiles_of(layout.placements[tensor.name], layout.grid)
    return len(tensor.storage.shards) * wide * high * _tile_cost(layout)


def _tile_cost(layout: MapLayout) -> int:
    return TILE_BLOCKS**2 * (BLOCK_COST + layout.base**2)
