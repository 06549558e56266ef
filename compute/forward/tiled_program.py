"""The forward pass over many rows for GPUs: as the rows program, with tiled matrix products and tiled attention."""

from __future__ import annotations

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention
from compute.weights.block_types import BLOCK_TYPES

from .attention_kernels import attention_values
from .edit_points import UNEDITED
from .product import Product
from .program import resource
from .rows_program import CHUNK as ROWS_CHUNK
from .rows_program import RowsProgram
from .stages import Stage
from .tiled_products import TiledProducts

CHUNKS = (16, 64, 256, 1024)  # rows of a chunk: short prompts have programs of their own, see tiling.py
HEAD_OUTS = 4  # outputs per team of threads of the head


class TiledProgram(TiledProducts):
    """Prefill on a GPU; matrices and caches are storage buffers."""

    def _build_head(self) -> list[Dispatch]:
        head = self._description.head
        if head.bias is None and self._storages[head.weight.name].dtype not in BLOCK_TYPES:
            return self._gpu_head(self._shared.head_input, normed=False)
        # The kernel for one row has no bias and no quantized types, and the one for many rows takes no single row.
        return RowsProgram._product(self, Product(head, self._shared.head_input, self._shared.logits, 1))

    def head_of(
        self, x: wgpu.GPUBuffer, logits: wgpu.GPUBuffer, rows: int, state: wgpu.GPUBuffer | None = None
    ) -> list[Dispatch]:
        """As in the rows program; rows: a multiple of 16."""
        head = self._description.head
        storage = self._storages[head.weight.name]
        outputs, inputs = head.weight.shape
        kernel = self._kernels.get(
            "forward/head_rows", inputs=inputs, outputs=outputs, outs=HEAD_OUTS, dtype=storage.dtype,
            bias=head.bias is not None,
        )  # fmt: skip
        run = []
        for shard in storage.shards:
            bound: dict[str, Resource] = {
                "state": state or self._shared.state, "params": self._slot(shard.first_row, shard.rows), "x": x,
                "weight": resource(shard), "logits": logits,
                **({} if head.bias is None else {"bias": self._vector(head.bias.name)}),
            }  # fmt: skip
            groups = (-(-rows // ROWS_CHUNK), -(-shard.rows // (32 * HEAD_OUTS)), 1)
            run.append(kernel.dispatch(groups, bound, cost=rows * inputs * shard.rows, label=head.output))
        run += self._soft_cap(logits, rows, state)
        self._write_params()
        return run

    def _attention(self, stage: Stage, attention: Attention, points: tuple[int, int]) -> Dispatch:
        size = attention.head_size
        # Queries, keys and values of a tile, padded, and the parts of its softmax, in bytes of shared memory.
        needed = (16 + 2 * 32) * (size + 4) * 4 + 128 * (16 + 4 + 4)
        if points != UNEDITED or needed > self._device.limits["max-compute-workgroup-storage-size"]:
            return super()._attention(stage, attention, points)
        kernel = self._kernels.get(
            "forward/attention_tiled", **attention_values(attention), **self._where("query", attention.query),
            context=self._context, trace=self._block(stage.section) is not None,
        )  # fmt: skip
        return kernel.dispatch(
            (attention.heads, -(-self.rows // 16), 1),
            self._attention_bindings(stage, attention, self._description.attention.index(attention)),
            cost=self.rows * attention.columns * self._context,
            label=attention.output,
        )
