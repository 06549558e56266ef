"""Upload of parameters to the GPU, in the layout that suits the adapter, without a second copy in host memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import wgpu

from compute.gpu.device import is_software
from compute.gpu.loading import Loading
from compute.gpu.wgpu_native import poll
from compute.models.architectures import describe
from compute.models.registry import Shard, TensorStorage

from .checkpoint import WeightSource
from .stored_rows import StoredRows
from .transpose import TransposedUpload

_TILE = 8192  # largest texture width used, in texels; adapters allow 16384
_SLAB = 8 << 20  # bytes converted and uploaded per step


def weight_layout(adapter: wgpu.GPUAdapter) -> str:
    """ "texture" for adapters that run on the CPU, "buffer" for GPUs.

    Measured on llvmpipe for a 3072 x 768 matrix times a vector: storage buffer 27 ms, texture 2.7 ms. GPUs load buffers
    faster.
    """
    return "texture" if is_software(adapter) else "buffer"


class WeightUpload:
    """Uploads all parameters of `source`.

    Matrices get `layout` and the type that `types` has for them, see `weight_types`. Vectors and the small position
    embeddings, which are read once per row, become float32 buffers whose values are rounded to that type.
    """

    def __init__(self, device: wgpu.GPUDevice, source: WeightSource, *, layout: str, types: Mapping[str, str]) -> None:
        self._device = device
        self._source = source
        self._layout = layout
        self._types = types
        self._transposed = TransposedUpload(device, _SLAB)
        self.storages: dict[str, TensorStorage] = {}
        self.nbytes = 0

    def run(self) -> Loading[dict[str, TensorStorage]]:
        """Upload tensor by tensor. Returns the storages by name."""
        description = describe(self._source.config)
        total = sum(weight.count for weight in description.weights.values())
        done = 0
        for name, weight in description.weights.items():
            table = len(weight.shape) == 1 or name in description.position_tables
            rows = StoredRows(self._source, name, self._types[name], weight.shape, as_float32=table)
            if self._layout == "texture" and not table:
                storage = self._as_texture(name, rows)
            else:
                storage = self._as_buffer(name, rows)
            self.storages[name] = storage
            self.nbytes += sum(shard.size for shard in storage.shards)
            self._source.release(name)
            done += weight.count
            yield "weights", done / total
        return self.storages

    def _flush(self) -> None:
        # Staging memory is released only when a submission that used it has run.
        self._device.queue.submit([])
        poll(self._device, wait=True)

    def _as_buffer(self, name: str, values: StoredRows) -> TensorStorage:
        rows, row_bytes = values.rows, values.row_bytes
        limit = self._device.limits["max-storage-buffer-binding-size"]
        shard_rows = min(rows, limit // row_bytes)
        shards = []
        for first in range(0, rows, shard_rows):
            count = min(shard_rows, rows - first)
            buffer = self._device.create_buffer(
                label=name,
                size=-(-count * row_bytes // 16) * 16,
                usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC,
            )
            shards.append(Shard(buffer, 0, buffer.size, first, count))
        storage = TensorStorage("buffer", values.dtype, 0, tuple(shards))
        if values.transposed is not None:
            self._transposed.run(values.transposed, storage, values.rounded)
        else:
            for shard in shards:
                self._fill_buffer(shard, values)
        return storage

    def _fill_buffer(self, shard: Shard, values: StoredRows) -> None:
        row_bytes = values.row_bytes
        step = max(1, _SLAB // row_bytes)
        while step * row_bytes % 4:  # writes are multiples of a word
            step += 1
        for start in range(0, shard.rows, step):
            end = min(start + step, shard.rows)
            data = values.slab(shard.first_row + start, shard.first_row + end).view(np.uint8).reshape(-1)
            if data.size % 4:
                data = np.concatenate([data, np.zeros(-data.size % 4, np.uint8)])
            self._device.queue.write_buffer(shard.resource, start * row_bytes, data)
            self._flush()

    def _as_texture(self, name: str, values: StoredRows) -> TensorStorage:
        rows, packs = values.rows, -(-values.row_bytes // 16)
        tile = min(_TILE, rows)
        bands = -(-rows // tile)
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING
        usage |= wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.COPY_SRC
        texture = self._device.create_texture(
            label=name,
            size=(tile, bands * packs, 1),
            format="rgba32float" if values.dtype == "f32" else "rgba32uint",
            usage=usage,
        )
        size = tile * bands * packs * 16
        storage = TensorStorage("texture", values.dtype, tile, (Shard(texture, 0, size, 0, rows),))
        if values.transposed is not None:
            self._transposed.run(values.transposed, storage, values.rounded)
        else:
            self._fill_texture(storage, values, packs)
        return storage

    def _fill_texture(self, storage: TensorStorage, values: StoredRows, packs: int) -> None:
        rows, tile, texture = values.rows, storage.tile, storage.shards[0].resource
        for band in range(-(-rows // tile)):
            last = min((band + 1) * tile, rows)
            step = max(1, _SLAB // (packs * 16))
            for first in range(band * tile, last, step):
                count = min(step, last - first)
                slab = values.slab(first, first + count)
                packed = 16 // slab.itemsize  # values, or words of quantized ones, per texel
                if packs * packed != slab.shape[1]:
                    slab = np.pad(slab, ((0, 0), (0, packs * packed - slab.shape[1])))
                # [rows, packs, packed] -> [packs, rows, packed]: neighboring rows in neighboring texels
                texels = np.ascontiguousarray(slab.reshape(count, packs, packed).transpose(1, 0, 2))
                self._device.queue.write_texture(
                    {"texture": texture, "origin": (first - band * tile, band * packs, 0)},
                    texels.view(np.uint8).reshape(-1),
                    {"bytes_per_row": count * 16, "rows_per_image": packs},
                    (count, packs, 1),
                )
                self._flush()
