"""The forward pass over many rows on a GPU: the rows program with tiled matrix products and tiled attention."""

from __future__ import annotations

import math

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch

from .activation_buffers import ActivationBlock
from .program import resource
from .rows_program import RowsProgram

CHUNK = 256  # rows


class TiledProgram(RowsProgram):
    """Prefill on a GPU. Matrices and caches are storage buffers."""

    def _build_head(self) -> list[Dispatch]:
        return self._gpu_head(None, self._shared.head_input, normed=False)

    def _matmul(
        self,
        name: str,
        block: ActivationBlock | None,
        x: wgpu.GPUBuffer,
        y: wgpu.GPUBuffer,
        rows: int,
        epilogue: str,
        kept: str | None,
        kept_after: str | None = None,
    ) -> list[Dispatch]:
        storage = self._storages[name + ".weight"]
        inputs, outputs = x.size // 4 // rows, y.size // 4 // rows
        # Narrow products have few tiles: smaller tiles keep more of the GPU busy.
        tall = 4 if outputs > 2 * self._config.channels else 2
        kernel = self._kernels.get(
            "forward/matmul_tiled", inputs=inputs, outputs=outputs, tall=tall, dtype=storage.dtype, epilogue=epilogue,
            trace=block is not None,
        )  # fmt: skip
        offset = block.offsets[kept] if block and kept else 0
        offset_after = block.offsets[kept_after] if block and kept_after else 0
        run = []
        for shard in storage.shards:
            bound: dict[str, Resource] = {
                "state": self._shared.state,
                "params": self._slot(shard.first_row, shard.rows, offset, offset_after),
                "x": x,
                "weight": resource(shard),
                "bias": self._vector(name + ".bias"),
                "y": y,
                **self._activation_binding(block),
            }
            groups = (-(-shard.rows // 64), -(-rows // (16 * tall)), 1)
            run.append(kernel.dispatch(groups, bound, cost=rows * inputs * shard.rows, label=name + ".weight"))
        return run

    def _attention(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        config = self._config
        head = config.head_size
        # Shared memory for the queries, scores, keys and values of a tile, in bytes.
        needed = 16 * head * 4 + 16 * 32 * 4 + 2 * 32 * head * 4
        if needed > self._device.limits["max-compute-workgroup-storage-size"]:
            return super()._attention(layer, block)
        kernel = self._kernels.get(
            "forward/attention_tiled", channels=config.channels, head_size=head, scale=repr(1 / math.sqrt(head)),
            context=self._context, trace=block is not None,
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, -(-self.rows // 16), 1),
            {
                "state": self._shared.state,
                "params": self._slot(block.offsets[f"h.{layer}.attn.out"] if block else 0),
                "qkv": self._qkv,
                "cache": self._shared.caches[layer],
                "y": self._mixed,
                **self._activation_binding(block),
            },
            cost=self.rows * config.channels * self._context,
        )
