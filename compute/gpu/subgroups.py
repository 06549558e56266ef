"""The device's subgroup size, which is measured, because adapters do not report it reliably."""

from __future__ import annotations

import struct

import wgpu

from .kernels import Kernels
from .wgpu_native import ComputeEncoder

NO_SUBGROUPS = (32, False)  # threads per matrix row if the subgroup size is unknown
_SMALLEST, _LARGEST = 8, 64


def team_size(kernels: Kernels) -> tuple[int, bool]:
    """How many threads compute a matrix row together, and whether they form a subgroup. The first call blocks."""
    if kernels.team is None:
        kernels.team = _probe(kernels)
    return kernels.team


def subgroup_lanes(kernels: Kernels) -> int:
    """Threads of a subgroup, 0 where that is unknown or below 8. The first call blocks."""
    lanes, known = team_size(kernels)
    return lanes if known else 0


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
