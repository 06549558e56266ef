"""How many threads run in lockstep on this device: asked of the device itself, since no adapter tells reliably."""

from __future__ import annotations

import struct

import wgpu

from .kernels import Kernels
from .wgpu_native import ComputeEncoder

NO_SUBGROUPS = (32, False)  # threads that share a row of a matrix where there are no subgroups to rely on
_SMALLEST, _LARGEST = 8, 64


def team_size(kernels: Kernels) -> tuple[int, bool]:
    """Threads that compute a row of a matrix together, and whether they are a subgroup. Blocks at the first call."""
    if kernels.team is None:
        kernels.team = _probe(kernels)
    return kernels.team


def _probe(kernels: Kernels) -> tuple[int, bool]:
    device = kernels.device
    if "subgroup" not in device.features:
        return NO_SUBGROUPS
    result = device.create_buffer(
        label="subgroup probe", size=8, usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
    )
    encoder = ComputeEncoder(device)
    encoder.run([kernels.get("device/subgroup_size").dispatch((1, 1, 1), {"result": result})])
    encoder.submit()
    size, strays = struct.unpack("<II", device.queue.read_buffer(result))
    if strays or not _SMALLEST <= size <= _LARGEST:
        return NO_SUBGROUPS
    return size, True
