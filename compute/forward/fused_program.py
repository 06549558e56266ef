"""One token on a GPU with five dispatches per layer: matrix kernels include layer norm, bias, GELU and residual."""

from __future__ import annotations

import math

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch

from .activation_buffers import ActivationBlock
from .program import THREADS, Program, resource

_SPAN = 128  # keys per workgroup of attention


class FusedProgram(Program):
    """A pass over one row. Matrices and caches are storage buffers; without subgroups, sums use shared memory."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c, heads = self._config.channels, self._config.heads
        spans = -(-self._context // _SPAN)
        self._resid = self._buffer("resid", c)
        self._query = self._buffer("query", c)
        self._mixed = self._buffer("mixed spans", spans * c)
        self._weights = self._buffer("span weights", 2 * spans * heads)
        self._hidden = self._buffer("hidden", 4 * c)
        blocks = self._blocks
        body = self._embed(self._resid, blocks[0] if blocks else None)
        for layer in range(self._config.layers):
            block = blocks[1 + layer] if blocks else None
            body += [
                self._qkv(layer, block),
                self._attention(layer),
                self._attn_proj(layer, block),
                self._fc(layer, block),
                self._mlp_proj(layer, block),
            ]
        return body, self._gpu_head(blocks[-1] if blocks else None, self._resid, normed=True)

    def _linear(
        self,
        kernel_name: str,
        layer: int,
        name: str,
        block: ActivationBlock | None,
        kept: tuple[str, ...],
        bound: dict[str, Resource],
        *,
        team_rows: int,
        **values: int | str | bool,
    ) -> Dispatch:
        """One matrix kernel. team_rows: matrix rows per team of threads."""
        h = f"h.{layer}."
        storage = self._storages[h + name + ".weight"]
        (shard,) = storage.shards
        inputs = shard.size // shard.rows // (4 if storage.dtype == "f32" else 2)
        lanes, subgroups = self._team
        kernel = self._kernels.get(
            kernel_name, inputs=inputs, dtype=storage.dtype, lanes=lanes, subgroups=subgroups, team_rows=team_rows,
            threads=THREADS, trace=block is not None, **values,
        )  # fmt: skip
        outputs = shard.rows
        return kernel.dispatch(
            (-(-outputs // (THREADS // lanes * team_rows)), 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(*(block.offsets[h + k] for k in kept) if block else (0,)),
                "weight": resource(shard),
                "bias": self._vector(h + name + ".bias"),
                **bound,
                **self._activation_binding(block),
            },
            cost=inputs * outputs,
            label=h + name,
        )

    def _norm(self, name: str) -> dict[str, Resource]:
        return {"resid": self._resid, "scale": self._vector(name + ".weight"), "shift": self._vector(name + ".bias")}

    def _qkv(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        bound = {**self._norm(f"h.{layer}.ln_1"), "query": self._query, "cache": self._shared.caches[layer]}
        return self._linear(
            "decode/qkv", layer, "attn.c_attn", block, ("ln_1", "attn.qkv"), bound, team_rows=2,
            head_size=self._config.head_size, context=self._context,
        )  # fmt: skip

    def _attention(self, layer: int) -> Dispatch:
        config = self._config
        kernel = self._kernels.get(
            "decode/attention", channels=config.channels, heads=config.heads, head_size=config.head_size,
            context=self._context, span=_SPAN, scale=repr(1 / math.sqrt(config.head_size)),
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, -(-self._context // _SPAN), 1),
            {
                "state": self._shared.state,
                "query": self._query,
                "cache": self._shared.caches[layer],
                "mixed": self._mixed,
                "weights": self._weights,
            },
            cost=config.channels * self._context,
            label=f"h.{layer}.attn",
        )

    def _attn_proj(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        bound: dict[str, Resource] = {"mixed": self._mixed, "weights": self._weights, "resid": self._resid}
        kept = ("attn.out", "attn.c_proj", "resid_mid")
        # "weight" is the matrix, "weights" are those of the spans.
        return self._linear(
            "decode/attn_proj",
            layer,
            "attn.c_proj",
            block,
            kept,
            bound,
            team_rows=1,
            heads=self._config.heads,
            span=_SPAN,
        )

    def _fc(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        bound = {**self._norm(f"h.{layer}.ln_2"), "hidden": self._hidden}
        return self._linear("decode/fc", layer, "mlp.c_fc", block, ("ln_2", "mlp.c_fc", "mlp.gelu"), bound, team_rows=2)

    def _mlp_proj(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        bound: dict[str, Resource] = {"hidden": self._hidden, "resid": self._resid}
        return self._linear(
            "decode/mlp_proj", layer, "mlp.c_proj", block, ("mlp.c_proj", "resid_post"), bound, team_rows=1
        )
