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

_BAND = 32  # rows of a band, or a multiple of it: what a workgroup of forward/matmul_lanes reads
_SLAB = 8 << 20  # bytes converted and uploaded per step


def weight_layout(adapter: wgpu.GPUAdapter) -> str:
    """ "texture" for adapters that run on the CPU, "buffer" for GPUs.

    Measured on llvmpipe for a 3072 x 768 matrix times a vector: storage buffer 27 ms, texture 2.7 ms. GPUs load buffers
    faster.
    """
    return "texture" if is_software(adapter) else "buffer"


def texture_tile(device: wgpu.GPUDevice, rows: int, packs: int) -> int:
    """The width of the texture of a matrix whose rows have so many texels: as narrow as its height allows.

    Software adapters then read a matrix from its beginning to its end. Measured for 3072 x 768 in bf16 and a vector:
    0.5 ms with all rows side by side, 0.3 ms in bands of 32 rows.
    """
    bands = max(1, int(device.limits["max-texture-dimension-2d"]) // packs)
    return min(rows, -(-rows // bands // _BAND) * _BAND)


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
            rows.release()
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
            values.release()

    def _as_texture(self, name: str, values: StoredRows) -> TensorStorage:
        rows, packs = values.rows, -(-values.row_bytes // 16)
        tile = texture_tile(self._device, rows, packs)
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
        bands = max(1, _SLAB // (packs * 16 * tile))  # per step
        width = min(tile, max(1, _SLAB // (packs * 16)))  # of a part of a band, where one is larger than a slab
        for top in range(0, -(-rows // tile), bands):
            last = min((top + bands) * tile, rows)
            for first in range(top * tile, last, width if width < tile else bands * tile):
                end = min(first + width, last) if width < tile else last
                slab = values.slab(first, end)
                packed = 16 // slab.itemsize  # values, or words of quantized ones, per texel
                columns = min(end - first, width)
                high = -(-(end - first) // columns)
                # Columns up to whole texels, rows up to whole bands.
                missing = high * columns - (end - first), packs * packed - slab.shape[1]
                if any(missing):
                    slab = np.pad(slab, ((0, missing[0]), (0, missing[1])))
                # [bands, rows, packs, packed] -> [bands, packs, rows, packed]: neighboring rows in neighboring texels
                texels = np.ascontiguousarray(slab.reshape(high, columns, packs, packed).transpose(0, 2, 1, 3))
                self._device.queue.write_texture(
                    {"texture": texture, "origin": (first - top * tile, top * packs, 0)},
                    texels.view(np.uint8).reshape(-1),
                    {"bytes_per_row": columns * 16, "rows_per_image": high * packs},
                    (columns, high * packs, 1),
                )
                self._flush()
                values.release()
