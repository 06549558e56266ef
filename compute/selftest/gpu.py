"""Tools for running single kernels: buffers, packed weights, the state of a pass, and reading results back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.forward.pass_plan import state_of
from compute.gpu.kernels import Resource, shared_kernels
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.models.registry import Shard, TensorStorage
from compute.views.patterns import PatternStore, row_of_keys
from compute.weights.block_packs import packed
from compute.weights.block_types import BLOCK_TYPES, dequantize
from compute.weights.dtypes import DTYPES

from .models import random_blocks

UNTOUCHED = -77.0  # initial value of results, to check that a kernel leaves other memory alone


class Gpu:
    """A device with its kernels, and shortcuts to fill and read its memory."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self.device = device
        self.kernels = shared_kernels(device)

    def buffer(self, values: Any) -> wgpu.GPUBuffer:
        """A buffer for any use, filled with `values`; float64 becomes float32, and integers become u32."""
        array = np.ascontiguousarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        elif array.dtype == np.int64:
            array = array.astype(np.uint32)
        data = array.tobytes()
        usage = wgpu.BufferUsage
        return self.device.create_buffer_with_data(
            data=data + bytes(-len(data) % 16), usage=usage.STORAGE | usage.UNIFORM | usage.COPY_SRC | usage.COPY_DST
        )

    def empty(self, elements: int) -> wgpu.GPUBuffer:
        """A buffer of `elements` float32, all UNTOUCHED."""
        return self.buffer(np.full(elements, UNTOUCHED))

    def params(self, *values: int) -> wgpu.GPUBuffer:
        """`values` as u32, padded to 32 bytes."""
        return self.buffer(np.array([*values, *[0] * (8 - len(values))]))

    def state(
        self,
        *,
        rows: int = 1,
        first_row: int = 0,
        last_row: int = 0,
        context_start: int = 0,
        position: int = 0,
        total: int = 0,
        step: int = 0,
    ) -> wgpu.GPUBuffer:
        """The state of a pass, see wgsl/common/state.wgsl."""
        words = state_of(context_start, first_row, rows, last_row, position, total, step)
        return self.buffer(np.frombuffer(words, np.uint32))

    def weight(
        self, values: np.ndarray, kind: str, dtype: str, *, tile: int = 8, shards: Sequence[int] = ()
    ) -> tuple[TensorStorage, np.ndarray]:
        """A matrix [out, in] stored as `dtype`, and its rounded values in float64.

        kind: "buffer" (cut at the rows `shards`) or "texture" (in bands of `tile` rows). For a quantized type the
        matrix consists of random blocks, whatever `values` are, of as many rows and columns.
        """
        if dtype in BLOCK_TYPES:
            raw = random_blocks(BLOCK_TYPES[dtype], *values.shape)
            stored = packed(BLOCK_TYPES[dtype], raw)
            rounded, units = dequantize(BLOCK_TYPES[dtype], raw), stored.reshape(len(stored), -1)
        else:
            rounded = units = values.astype(DTYPES[dtype])
        if kind == "texture":
            storage = TensorStorage(kind, dtype, tile, (self._texture(units, tile),))
        else:
            bounds = [0, *shards, len(values)]
            cut = [Shard(part := self.buffer(units[a:b]), 0, part.size, a, b - a) for a, b in pairwise(bounds)]
            storage = TensorStorage(kind, dtype, 0, tuple(cut))
        return storage, rounded.astype(np.float64)

    def _texture(self, rounded: np.ndarray, tile: int) -> Shard:
        rows, columns = rounded.shape
        width = 16 // rounded.dtype.itemsize
        packs, bands = -(-columns // width), -(-rows // tile)
        texels = np.zeros((bands * packs, tile, width), rounded.dtype)
        row, column = np.indices(rounded.shape)
        texels[row // tile * packs + column // width, row % tile, column % width] = rounded
        size = (tile, bands * packs, 1)
        texture = self.device.create_texture(
            size=size,
            format="rgba32float" if rounded.dtype == np.float32 else "rgba32uint",
            usage=wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.COPY_DST,
        )
        layout = {"bytes_per_row": tile * 16, "rows_per_image": size[1]}
        self.device.queue.write_texture({"texture": texture}, texels.view(np.uint8).reshape(-1), layout, size)
        return Shard(texture, 0, texels.nbytes, 0, rows)

    def run(self, *dispatches: Dispatch) -> None:
        """Submit `dispatches` in order."""
        encoder = ComputeEncoder(self.device)
        encoder.run(dispatches)
        encoder.submit()

    def read(self, buffer: wgpu.GPUBuffer, *shape: int, dtype: Any = np.float32, offset: int = 0) -> np.ndarray:
        """Values of `buffer` from element `offset` on."""
        return read(self.device, buffer, shape, dtype, 4 * offset)


def read(
    device: wgpu.GPUDevice, buffer: wgpu.GPUBuffer, shape: tuple[int, ...], dtype: Any = np.float32, offset: int = 0
) -> np.ndarray:
    """Values of `shape` from `buffer`, from byte `offset` on."""
    data = device.queue.read_buffer(buffer, offset, int(np.prod(shape)) * 4)
    return np.frombuffer(data, dtype).reshape(shape).copy()


def read_tensor(engine: Engine, name: str) -> np.ndarray:
    """An activation, the logits or a recomputed pattern of the engine's latest pass."""
    tensor = engine.registry[name]
    if tensor.heads:
        buffer, work = PatternStore(engine, engine.context).all_rows(tensor)
        encoder = ComputeEncoder(engine.device)
        encoder.run(work)
        encoder.submit()
        padded = read(engine.device, buffer, (tensor.heads, engine.context, row_of_keys(engine.context)))
        return padded[:, : engine.registry.rows, : engine.registry.rows]
    shard = tensor.storage.shards[0]
    return read(engine.device, shard.resource, engine.registry.shape(tensor), np.float32, shard.offset)


def bound(shard: Shard) -> Resource:
    """A shard as a kernel binds it."""
    return (shard.resource, 0, shard.size) if isinstance(shard.resource, wgpu.GPUBuffer) else shard.resource


def run_pass(
    engine: Engine,
    tokens: Sequence[int],
    *,
    context: int | None = None,
    valid_rows: int = 0,
    follows: bool = False,
) -> None:
    """Run one pass over `tokens`, which leaves activations and logits in the engine. Does not wait.

    context: in tokens, by default the engine's; valid_rows: rows that caches and activations contain already; follows:
    the previous pass was the one without the last token.
    """
    engine.write_history(tokens)
    plan = engine.plan(len(tokens), context or engine.context, 0, valid_rows, follows=follows)
    for segment in plan.segments:
        if segment.state is not None:
            engine.write_state(segment.state)
        submit(engine.device, segment.dispatches)
    engine.completed(plan)


def submit(device: wgpu.GPUDevice, dispatches: Sequence[Dispatch]) -> None:
    """Run `dispatches` in order. Does not wait."""
    encoder = ComputeEncoder(device)
    encoder.run(dispatches)
    encoder.submit()
