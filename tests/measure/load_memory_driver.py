"""Runs `atlas-viewer`, and writes to a shared file how many bytes of weights the adapter keeps in this process.

Usage: `load_memory_driver.py FILE ARGUMENT ...`. FILE: two int64, the bytes, always 0 for an adapter with memory of its
own; and 1 when all weights have been uploaded. The bytes are -1 while a new texture or buffer is being cleared.
"""

from __future__ import annotations

import mmap
import struct
import sys
from math import prod
from pathlib import Path
from typing import Any

import wgpu

from atlas_viewer.cli.main import main
from compute.forward import model_memory
from compute.gpu.device import is_software
from compute.gpu.loading import Loading
from compute.models.registry import TensorStorage
from compute.weights.stored_rows import StoredRows
from compute.weights.upload import WeightUpload

UNCLEAR = -1
_TEXEL_BYTES = 16  # of the formats that weights have


class CountingDevice:
    """A device that adds up the bytes of the buffers and textures made with it."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self._device = device
        self.made = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def create_buffer(self, **description: Any) -> wgpu.GPUBuffer:
        self.made += description["size"]
        return self._device.create_buffer(**description)

    def create_texture(self, **description: Any) -> wgpu.GPUTexture:
        self.made += prod(description["size"]) * _TEXEL_BYTES
        return self._device.create_texture(**description)


class CountedUpload(WeightUpload):
    """An upload that counts the weights, where the adapter is a software one."""

    def __init__(self, device: wgpu.GPUDevice, *arguments: Any, **options: Any) -> None:
        self._counting = CountingDevice(device)
        self._software = is_software(device.adapter)
        super().__init__(self._counting, *arguments, **options)
        with Path(sys.argv[1]).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 16)

    def run(self) -> Loading[dict[str, TensorStorage]]:
        storages = yield from super().run()
        self._shared[8:] = struct.pack("<q", 1)
        return storages

    def _as_buffer(self, name: str, values: StoredRows) -> TensorStorage:
        self._put(UNCLEAR)
        return super()._as_buffer(name, values)

    def _as_texture(self, name: str, values: StoredRows) -> TensorStorage:
        self._put(UNCLEAR)
        return super()._as_texture(name, values)

    def _flush(self) -> None:
        # wgpu clears what is new when the first slab is written; then all of its memory is resident.
        super()._flush()
        self._put(self._counting.made)

    def _put(self, nbytes: int) -> None:
        if self._software:
            self._shared[:8] = struct.pack("<q", nbytes)


if __name__ == "__main__":
    setattr(model_memory, "WeightUpload", CountedUpload)  # noqa: B010
    sys.exit(main(sys.argv[2:]))
