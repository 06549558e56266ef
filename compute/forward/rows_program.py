"""The forward pass with one dispatch per operation and chunk of rows: the program for software adapters.

Every operation reads and writes small scratch buffers for one chunk. With tracing it also stores its results in the
activation buffers.
"""

from __future__ import annotations

import math

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch

from .activation_buffers import ActivationBlock
from .program import Program, resource

CHUNK = 16  # rows: with more, fewer weights are loaded per row, but a slice must fit into a frame
_UNIFORM_LIMIT = 65536  # bytes: the largest uniform binding that every adapter allows


class RowsProgram(Program):
    """A pass in chunks of `rows` rows (1 or CHUNK), for any layout of the weights."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c = self._config.channels
        self._resid = self._scratch("resid", c)
        self._norm = self._scratch("norm", c)
        self._qkv = self._scratch("qkv", 3 * c)
        self._mixed = self._scratch("mixed", c)
        self._hidden = self._scratch("hidden", 4 * c)
        return self._build_body(), self._build_head()

    def _build_head(self) -> list[Dispatch]:
        return self._matmul("wte", None, self._shared.head_input, self._shared.logits, 1, "none", None)

    def _build_body(self) -> list[Dispatch]:
        config, blocks = self._config, self._blocks
        run: list[Dispatch] = []
        run += self._embed(self._resid, blocks[0] if blocks else None)
        for layer in range(config.layers):
            block = blocks[1 + layer] if blocks else None
            h = f"h.{layer}."
            run.append(self._layer_norm(h + "ln_1", block))
            run += self._matmul(h + "attn.c_attn", block, self._norm, self._qkv, self.rows, "none", h + "attn.qkv")
            run.append(self._kv_store(layer))
            run.append(self._attention(layer, block))
            run += self._matmul(
                h + "attn.c_proj", block, self._mixed, self._resid, self.rows, "residual", h + "attn.c_proj",
                h + "resid_mid",
            )  # fmt: skip
            run.append(self._layer_norm(h + "ln_2", block))
            run += self._matmul(
                h + "mlp.c_fc", block, self._norm, self._hidden, self.rows, "gelu", h + "mlp.c_fc", h + "mlp.gelu"
            )
            run += self._matmul(
                h + "mlp.c_proj", block, self._hidden, self._resid, self.rows, "residual", h + "mlp.c_proj",
                h + "resid_post",
            )  # fmt: skip
        run.append(self._layer_norm("ln_f", blocks[-1] if blocks else None, head=True))
        return run

    def _layer_norm(self, name: str, block: ActivationBlock | None, *, head: bool = False) -> Dispatch:
        kernel = self._kernels.get(
            "forward/layer_norm", channels=self._config.channels, trace=block is not None, head=head
        )
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(block.offsets[name] if block else 0),
            "x": self._resid,
            "scale": self._vector(name + ".weight"),
            "shift": self._vector(name + ".bias"),
            "y": self._norm,
            **self._activation_binding(block),
        }
        if head:
            bound["head_input"] = self._shared.head_input
        return kernel.dispatch((self.rows, 1, 1), bound, cost=20 * self.rows * self._config.channels, label=name)

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
        weight_name = name if name in self._storages else name + ".weight"
        storage = self._storages[weight_name]
        bias = self._storages.get(name + ".bias")
        inputs = x.size // 4 // rows
        outputs = y.size // 4 // rows
        at_once, space = self._rows_at_once(inputs, rows)
        kernel = self._kernels.get(
            "forward/matmul_rows", inputs=inputs, outputs=outputs, rows=at_once, x_space=space, storage=storage.kind,
            dtype=storage.dtype, tile=storage.tile, bias=bias is not None, epilogue=epilogue, trace=block is not None,
        )  # fmt: skip
        run = []
        for first in range(0, rows, at_once):
            for shard in storage.shards:
                offset = block.offsets[kept] if block and kept else 0
                offset_after = block.offsets[kept_after] if block and kept_after else 0
                bound: dict[str, Resource] = {
                    "state": self._shared.state,
                    "params": self._slot(first, shard.first_row, shard.rows, offset, offset_after),
                    "x": (x, first * inputs * 4, at_once * inputs * 4) if space == "uniform" else x,
                    "weight": resource(shard),
                    "y": y,
                    **self._activation_binding(block),
                }
                if bias is not None:
                    bound["bias"] = resource(bias.shards[0])
                groups = (-(-shard.rows // 32), 1, 1)
                run.append(kernel.dispatch(groups, bound, cost=at_once * inputs * shard.rows, label=weight_name))
        return run

    def _rows_at_once(self, inputs: int, rows: int) -> tuple[int, str]:
        """How many rows of x a dispatch takes, and the address space in which x is bound."""
        alignment = self._device.limits["min-uniform-buffer-offset-alignment"]
        at_once = rows
        while at_once * inputs * 4 > _UNIFORM_LIMIT:
            at_once //= 2
        if at_once == 0 or (at_once < rows and at_once * inputs * 4 % alignment):
            return rows, "storage"
        return at_once, "uniform"

    def _kv_store(self, layer: int) -> Dispatch:
        quads = self._config.channels // 4
        kernel = self._kernels.get(
            "forward/kv_store",
            channels=self._config.channels,
            head_size=self._config.head_size,
            context=self._context,
            storage=self._cache_kind(layer),
        )
        return kernel.dispatch(
            (-(-2 * quads // 32), self.rows, 1),
            {"state": self._shared.state, "qkv": self._qkv, "cache": self._shared.caches[layer]},
            cost=4 * self.rows * self._config.channels,
        )

    def _attention(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        config = self._config
        kernel = self._kernels.get(
            "forward/attention_rows", channels=config.channels, head_size=config.head_size,
            scale=repr(1 / math.sqrt(config.head_size)), context=self._context,
            storage=self._cache_kind(layer), trace=block is not None,
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, self.rows, 1),
            {
                "state": self._shared.state,
                "params": self._slot(block.offsets[f"h.{layer}.attn.out"] if block else 0),
                "qkv": self._qkv,
                "cache": self._shared.caches[layer],
                "y": self._mixed,
                **self._activation_binding(block),
            },
            cost=2 * self.rows * config.channels * self._context / 2,
        )
