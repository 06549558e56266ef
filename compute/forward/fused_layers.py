"""One layer for one token with five dispatches: matrix kernels include layer norm, bias, GELU, residual and edits."""

from __future__ import annotations

import math

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import LayerNorm, Linear

from .attention_kernels import attention_values, heads_values
from .decode_block import DecodeBlock
from .decode_program import DecodeProgram
from .edit_points import NOWHERE, UNEDITED
from .program import THREADS, resource

_SPAN = 128  # keys per workgroup of attention
_PARTS = ("norm", "mixed", "value", "after")  # that a kernel can edit, in the order of its parameters


class FusedLayers(DecodeProgram):
    """Layers over one row. Matrices and caches are storage buffers; without subgroups, sums use shared memory."""

    def _layer_scratch(self) -> None:
        """Create the buffers that all layers share."""
        c, heads = self._config.channels, self._config.heads
        spans = -(-self._context // _SPAN)
        self._layer_query = self._buffer("query", c)
        self._layer_mixed = self._buffer("mixed spans", spans * c)
        self._layer_weights = self._buffer("span weights", 2 * spans * heads)
        self._layer_hidden = self._buffer("hidden", 4 * c)

    def _fused_layer(self, layer: int, block: DecodeBlock, resid: Resource) -> list[Dispatch]:
        """The layer, which replaces the residual stream in `resid`."""
        return [
            self._qkv(layer, block, resid),
            self._attention(layer, block),
            self._attn_proj(block, resid),
            self._fc(block, resid),
            self._mlp_proj(block, resid),
        ]

    def _linear(
        self,
        kernel_name: str,
        block: DecodeBlock,
        linear: Linear,
        kept: dict[str, str],
        bound: dict[str, Resource],
        *,
        team_rows: int,
        **values: int | str | bool,
    ) -> Dispatch:
        """One matrix kernel.

        kept: what it writes to the activation buffers and edits, by the part in the kernel; team_rows: rows of the
        matrix per team.
        """
        storage = self._storages[linear.weight.name]
        assert linear.bias is not None
        (shard,) = storage.shards
        outputs, inputs = linear.weight.shape
        lanes, subgroups = self._team
        kept_in = self._block(block.section)
        edited, points, bindings = self._edited_parts(**{part: kept.get(part, "") for part in _PARTS})
        kernel = self._kernels.get(
            kernel_name, inputs=inputs, dtype=storage.dtype, lanes=lanes, subgroups=subgroups, team_rows=team_rows,
            threads=THREADS, trace=kept_in is not None, edited=edited, **values,
        )  # fmt: skip
        return kernel.dispatch(
            (-(-outputs // (THREADS // lanes * team_rows)), 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(*(self._offset(block.section, name) for name in kept.values()), *points),
                "weight": resource(shard),
                "bias": self._vector(linear.bias.name),
                **bound,
                **self._activation_binding(kept_in),
                **bindings,
            },
            cost=inputs * outputs,
            label=list(kept.values())[-1],
        )

    def _norm(self, norm: LayerNorm, resid: Resource) -> dict[str, Resource]:
        assert norm.shift is not None
        return {
            "resid": resid, "scale": self._vector(norm.scale.name), "shift": self._vector(norm.shift.name)
        }  # fmt: skip

    def _qkv(self, layer: int, block: DecodeBlock, resid: Resource) -> Dispatch:
        bound = {**self._norm(block.norm_1, resid), "query": self._layer_query, "cache": self._shared.caches[layer]}
        kept = {"norm": block.norm_1.output, "value": block.qkv.output}
        return self._linear(
            "decode/qkv", block, block.qkv, kept, bound, team_rows=2, head_size=self._config.head_size,
            context=self._context,
        )  # fmt: skip

    def _attention(self, layer: int, block: DecodeBlock) -> Dispatch:
        config = self._config
        if self._attention_points(block) != UNEDITED:
            return self._edited_attention(layer, block)
        kernel = self._kernels.get(
            "decode/attention", channels=config.channels, heads=config.heads, head_size=config.head_size,
            context=self._context, span=_SPAN, scale=repr(1 / math.sqrt(config.head_size)),
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, -(-self._context // _SPAN), 1),
            {
                "state": self._shared.state,
                "query": self._layer_query,
                "cache": self._shared.caches[layer],
                "mixed": self._layer_mixed,
                "weights": self._layer_weights,
            },
            cost=config.channels * self._context,
            label=block.attention.output,
        )

    def _attention_points(self, block: DecodeBlock) -> tuple[int, int]:
        return self._points.attention(block.attention) if self._points else UNEDITED

    def _edited_attention(self, layer: int, block: DecodeBlock) -> Dispatch:
        """Attention with edits of scores or pattern, over all keys at once."""
        assert self._points is not None
        config, (scores, pattern) = self._config, self._attention_points(block)
        kernel = self._kernels.get(
            "forward/attention_rows", **attention_values(block.attention), context=self._context,
            **heads_values("query", block.attention.query, config.channels), storage="buffer", trace=False,
            scores=scores != NOWHERE, pattern=pattern != NOWHERE,
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(0, scores, pattern),
            "query_of_rows": self._layer_query,
            "cache": self._shared.caches[layer],
            "y": self._layer_mixed,
            **self._points.edits.bindings,
        }
        cost = 2 * config.channels * self._context
        return kernel.dispatch((config.heads, 1, 1), bound, cost=cost, label=block.attention.output)

    def _attn_proj(self, block: DecodeBlock, resid: Resource) -> Dispatch:
        merged = self._attention_points(block) != UNEDITED
        # One buffer must not be bound twice: the weight matrix is "weight", the spans' "weights".
        bound: dict[str, Resource] = {"mixed": self._layer_mixed, "resid": resid}
        if not merged:
            bound["weights"] = self._layer_weights
        kept = {"mixed": block.attention.output, "value": block.attn_proj.output, "after": block.resid_mid.output}
        return self._linear(
            "decode/attn_proj", block, block.attn_proj, kept, bound, team_rows=1, heads=self._config.heads,
            span=_SPAN, merged=merged,
        )  # fmt: skip

    def _fc(self, block: DecodeBlock, resid: Resource) -> Dispatch:
        bound = {**self._norm(block.norm_2, resid), "hidden": self._layer_hidden}
        kept = {"norm": block.norm_2.output, "value": block.fc.output, "after": block.activation.output}
        return self._linear("decode/fc", block, block.fc, kept, bound, team_rows=2)

    def _mlp_proj(self, block: DecodeBlock, resid: Resource) -> Dispatch:
        bound: dict[str, Resource] = {"hidden": self._layer_hidden, "resid": resid}
        kept = {"value": block.mlp_proj.output, "after": block.resid_post.output}
        return self._linear("decode/mlp_proj", block, block.mlp_proj, kept, bound, team_rows=1)
