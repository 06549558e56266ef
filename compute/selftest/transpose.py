"""Checks of matrices that are transposed during their upload, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import wgpu

from compute.gpu.device import is_software
from compute.models.registry import Shard, TensorStorage
from compute.weights.dtypes import DTYPES
from compute.weights.transpose import TransposedUpload

from .check import Check, Errors
from .gpu import Gpu
from .models import layouts

WORDS: Mapping[str, np.dtype] = {"f32": np.dtype(np.uint32), "f16": np.dtype(np.uint16), "bf16": np.dtype(np.uint16)}


def any_bits(inputs: int, outputs: int, dtype: str) -> np.ndarray:
    """[inputs, outputs] with every kind of value: normal, denormal, infinite, NaN with any payload."""
    bits = np.random.default_rng(inputs).integers(0, 2 ** (8 * WORDS[dtype].itemsize), (inputs, outputs))
    return bits.astype(WORDS[dtype]).view(DTYPES[dtype])


def empty(
    device: wgpu.GPUDevice, layout: str, dtype: str, rows: int, columns: int, tile: int, cut: int
) -> TensorStorage:
    """An unwritten weight [rows, columns]: a texture in bands of `tile` rows, or two buffers cut at row `cut`."""
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
    width = WORDS[dtype].itemsize
    if layout == "buffer":
        shards = []
        for first, end in ((0, cut), (cut, rows)):
            buffer = device.create_buffer(size=-(-(end - first) * columns * width // 16) * 16, usage=usage)
            shards.append(Shard(buffer, 0, buffer.size, first, end - first))
        return TensorStorage("buffer", dtype, 0, tuple(shards))
    size = (tile, -(-rows // tile) * -(-columns * width // 16), 1)
    texture = device.create_texture(
        size=size,
        format="rgba32float" if dtype == "f32" else "rgba32uint",
        usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.COPY_SRC,
    )
    return TensorStorage("texture", dtype, tile, (Shard(texture, 0, size[0] * size[1] * 16, 0, rows),))


def bits_of(device: wgpu.GPUDevice, storage: TensorStorage, rows: int, columns: int) -> np.ndarray:
    """The bits [rows, columns] in `storage`."""
    word = WORDS[storage.dtype]
    if storage.kind == "buffer":
        parts = [
            np.frombuffer(device.queue.read_buffer(shard.resource), word)[: shard.rows * columns].reshape(-1, columns)
            for shard in storage.shards
        ]
        return np.concatenate(parts)
    texture, packed = storage.shards[0].resource, 16 // word.itemsize
    width, height, _ = texture.size
    data = device.queue.read_texture(
        {"texture": texture}, {"bytes_per_row": width * 16, "rows_per_image": height}, texture.size
    )
    packs = -(-columns // packed)
    texels = np.frombuffer(data, word).reshape(-1, packs, width, packed)  # [bands, packs, tile, packed]
    return texels.transpose(0, 2, 1, 3).reshape(-1, packs * packed)[:rows, :columns]


def transpose(gpu: Gpu, layout: str, dtype: str, inputs: int, outputs: int, slab_bytes: int) -> Check:
    """A matrix [inputs, outputs], uploaded in slabs of `slab_bytes`."""
    stored = any_bits(inputs, outputs, dtype)
    storage = empty(gpu.device, layout, dtype, outputs, inputs, min(128, outputs), outputs // 2 + 1)
    TransposedUpload(gpu.device, slab_bytes).run(stored, storage, lambda slab: slab)
    errors = Errors()
    errors.same(bits_of(gpu.device, storage, outputs, inputs), stored.view(WORDS[dtype]).T, "bits")
    return errors.check("weights/transpose", f"[{inputs}, {outputs}] {dtype} into a {layout}", 0.0)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for layout in layouts(is_software(gpu.device.adapter)):
        for dtype in DTYPES:
            yield transpose(gpu, layout, dtype, 20, 60, 1)
            yield transpose(gpu, layout, dtype, 76, 300, 5000)
