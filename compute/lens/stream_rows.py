"""Rows of the residual stream, gathered into one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch


def gather(
    engine: Engine, points: Sequence[str], positions: int, aim: wgpu.GPUBuffer, rows: wgpu.GPUBuffer
) -> list[Dispatch]:
    """Copy the `points` of `positions` context rows, from that of `aim` on, to `rows`: [positions, points, channels].

    A dispatch for each buffer that contains points. aim: see wgsl/lens/common/aim.wgsl.
    """
    entries: dict[wgpu.GPUBuffer, list[tuple[int, int]]] = {}
    for index, point in enumerate(points):
        shard = engine.registry[point].storage.shards[0]
        entries.setdefault(shard.resource, []).append((shard.offset // 16, index))
    kernel = engine.kernels.get("lens/gather", channels=engine.registry[points[-1]].columns, points=len(points))
    run = []
    for buffer, table in entries.items():
        data = np.asarray(table, np.uint32)
        starts = engine.device.create_buffer_with_data(label="lens points", data=data, usage=wgpu.BufferUsage.STORAGE)
        bound: dict[str, Resource] = {"aim": aim, "entries": starts, "activations": buffer, "rows": rows}
        run.append(kernel.dispatch((positions, len(table), 1), bound, label="lens: gather"))
    return run
