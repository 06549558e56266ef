"""One token on a GPU with five dispatches per layer: matrix kernels include layer norm, bias, GELU and residual."""

from __future__ import annotations

import math

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import LayerNorm, Linear

from .decode_block import DecodeBlock
from .decode_program import DecodeProgram
from .program import THREADS, resource

_SPAN = 128  # keys per workgroup of attention


class FusedProgram(DecodeProgram):
    """A pass over one row. Matrices and caches are storage buffers; without subgroups, sums use shared memory."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c, heads = self._config.channels, self._config.heads
        spans = -(-self._context // _SPAN)
        self._resid = self._buffer("resid", c)
        self._query = self._buffer("query", c)
        self._mixed = self._buffer("mixed spans", spans * c)
        self._weights = self._buffer("span weights", 2 * spans * heads)
        self._hidden = self._buffer("hidden", 4 * c)
        body = self._embed(self._embedding, self._resid)
        for layer, block in enumerate(self._stretches):
            body += [
                self._qkv(layer, block),
                self._attention(layer, block),
                self._attn_proj(block),
                self._fc(block),
                self._mlp_proj(block),
            ]
        return body, self._gpu_head(self._resid, normed=True)

    def _linear(
        self,
        kernel_name: str,
        block: DecodeBlock,
        linear: Linear,
        kept: tuple[str, ...],
        bound: dict[str, Resource],
        *,
        team_rows: int,
        **values: int | str | bool,
    ) -> Dispatch:
        """One matrix kernel. kept: what it writes to the activation buffers; team_rows: rows of the matrix per team."""
        storage = self._storages[linear.weight.name]
        assert linear.bias is not None
        (shard,) = storage.shards
        outputs, inputs = linear.weight.shape
        lanes, subgroups = self._team
        kept_in = self._block(block.section)
        kernel = self._kernels.get(
            kernel_name, inputs=inputs, dtype=storage.dtype, lanes=lanes, subgroups=subgroups, team_rows=team_rows,
            threads=THREADS, trace=kept_in is not None, **values,
        )  # fmt: skip
        return kernel.dispatch(
            (-(-outputs // (THREADS // lanes * team_rows)), 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(*(kept_in.offsets[name] for name in kept) if kept_in else (0,)),
                "weight": resource(shard),
                "bias": self._vector(linear.bias.name),
                **bound,
                **self._activation_binding(kept_in),
            },
            cost=inputs * outputs,
            label=kept[-1],
        )

    def _norm(self, norm: LayerNorm) -> dict[str, Resource]:
        assert norm.shift is not None
        return {
            "resid": self._resid, "scale": self._vector(norm.scale.name), "shift": self._vector(norm.shift.name)
        }  # fmt: skip

    def _qkv(self, layer: int, block: DecodeBlock) -> Dispatch:
        bound = {**self._norm(block.norm_1), "query": self._query, "cache": self._shared.caches[layer]}
        return self._linear(
            "decode/qkv", block, block.qkv, (block.norm_1.output, block.qkv.output), bound, team_rows=2,
            head_size=self._config.head_size, context=self._context,
        )  # fmt: skip

    def _attention(self, layer: int, block: DecodeBlock) -> Dispatch:
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
            label=block.attention.output,
        )

    def _attn_proj(self, block: DecodeBlock) -> Dispatch:
        bound: dict[str, Resource] = {"mixed": self._mixed, "weights": self._weights, "resid": self._resid}
        kept = (block.attention.output, block.attn_proj.output, block.resid_mid.output)
        # One buffer must not be bound twice: the weight matrix is "weight", the spans' "weights".
        return self._linear(
            "decode/attn_proj", block, block.attn_proj, kept, bound, team_rows=1, heads=self._config.heads, span=_SPAN
        )

    def _fc(self, block: DecodeBlock) -> Dispatch:
        bound = {**self._norm(block.norm_2), "hidden": self._hidden}
        kept = (block.norm_2.output, block.fc.output, block.activation.output)
        return self._linear("decode/fc", block, block.fc, kept, bound, team_rows=2)

    def _mlp_proj(self, block: DecodeBlock) -> Dispatch:
        bound: dict[str, Resource] = {"hidden": self._hidden, "resid": self._resid}
        kept = (block.mlp_proj.output, block.resid_post.output)
        return self._linear("decode/mlp_proj", block, block.mlp_proj, kept, bound, team_rows=1)
