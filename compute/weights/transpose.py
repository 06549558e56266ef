"""Upload of matrices that are stored [in, out]: slabs of rows are uploaded unchanged and transposed on the GPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import wgpu

from compute.gpu.kernels import shared_kernels
from compute.gpu.wgpu_native import ComputeEncoder, poll
from compute.models.registry import TensorStorage

_THREADS = 64
_PACK = 8  # slabs have a multiple of this many rows, so that no word or texel of the weight spans two slabs


class TransposedUpload:
    """Fills weights [out, in] from matrices [in, out], in slabs of `slab_bytes`. Keeps its staging buffer."""

    def __init__(self, device: wgpu.GPUDevice, slab_bytes: int) -> None:
        self._device = device
        self._slab_bytes = slab_bytes
        self._kernels = shared_kernels(device)
        self._slab: wgpu.GPUBuffer | None = None
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        self._params = device.create_buffer(label="transpose", size=32, usage=usage)

    def run(self, stored: np.ndarray, storage: TensorStorage, rounded: Callable[[np.ndarray], np.ndarray]) -> None:
        """Write `stored` [in, out] into `storage`, whose shards contain rows of [out, in].

        rounded: converts a slab to the dtype of `storage`. Blocks until the last slab is written.
        """
        inputs, outputs = stored.shape  # [in, out]
        row_bytes = outputs * (4 if storage.dtype == "f32" else 2)
        step = max(_PACK, self._slab_bytes // row_bytes // _PACK * _PACK)
        slab = self._staging(min(step, inputs) * row_bytes)
        values_per_thread = (4 if storage.kind == "texture" else 1) * (1 if storage.dtype == "f32" else 2)
        kernel = self._kernels.get("weights/transpose", storage=storage.kind, dtype=storage.dtype, tile=storage.tile)
        for first in range(0, inputs, step):
            values = np.ascontiguousarray(rounded(stored[first : first + step]))  # [count, out]
            count = len(values)
            self._device.queue.write_buffer(slab, 0, values.view(np.uint8).reshape(-1))
            for shard in storage.shards:
                params = (outputs, count, first, inputs, shard.first_row, shard.rows, 0, 0)
                self._device.queue.write_buffer(self._params, 0, np.array(params, np.uint32))
                groups = (-(-shard.rows // _THREADS), -(-count // values_per_thread), 1)
                resources = {"params": self._params, "slab": slab, "weight": shard.resource}
                encoder = ComputeEncoder(self._device)
                encoder.run([kernel.dispatch(groups, resources)])
                encoder.submit()
            poll(self._device, wait=True)  # staging memory is released only when the commands that use it have run

    def _staging(self, nbytes: int) -> wgpu.GPUBuffer:
        """A staging buffer of at least `nbytes`."""
        if self._slab is None or self._slab.size < nbytes:
            usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
            self._slab = self._device.create_buffer(label="transpose slab", size=nbytes, usage=usage)
        return self._slab
