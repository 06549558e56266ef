"""One token on a GPU with one dispatch per layer: the stages of a block wait for each other on the GPU."""

from __future__ import annotations

import math

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Linear

from .decode_block import DecodeBlock
from .fused_layers import FusedLayers
from .program import THREADS, resource

_SPAN = 64  # keys per workgroup of attention
_GUARD = 64  # words on each side of a vector: more than a cache line
_COUNTER_STRIDE = 32  # words, as in the shader
_PATIENCE = 1 << 20  # polls before a wait is abandoned, about a second
_BINDINGS = 24


class ChainProgram(FusedLayers):
    """A pass over one row; layers with edits take five dispatches.

    It needs subgroups and a GPU that starts workgroups in order: see wgsl/decode/layer.wgsl.
    """

    @staticmethod
    def suits(device: wgpu.GPUDevice, subgroups: bool) -> bool:
        """True when the kernel can be built on this device."""
        return subgroups and device.limits["max-storage-buffers-per-shader-stage"] >= _BINDINGS

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c, heads, layers = self._config.channels, self._config.heads, self._config.layers
        spans = -(-self._context // _SPAN)
        self._residuals = [self._guarded("resid 0", c), self._guarded("resid 1", c)]
        self._resid_mid = self._guarded("resid mid", c)
        self._fresh = self._guarded("fresh qkv", 3 * c)
        self._mixed = self._guarded("mixed spans", spans * c)
        self._shares = self._guarded("span shares", 2 * spans * heads)
        self._hidden = self._guarded("hidden", 4 * c)
        self.counters = self._buffer("stage counters", (4 * layers + 1) * _COUNTER_STRIDE)
        self.stall_flag = self.counters
        stream, other = self._residuals
        body = self._embed(self._embedding, stream, edits=True)
        if any(self._needs_fused_layer(block) for block in self._stretches):
            self._layer_scratch()
        for layer, block in enumerate(self._stretches):
            if self._needs_fused_layer(block):
                body += self._fused_layer(layer, block, stream)
            else:
                body.append(self._layer(layer, block, stream, other))
                stream, other = other, stream
        return body, self._gpu_head(stream, normed=True, counters=self.counters)

    def _needs_fused_layer(self, block: DecodeBlock) -> bool:
        """True for a layer with edits, or with an edited weight of another type than the others."""
        if self._points is not None:
            slots = (*block.outputs, *self._points.attention_slots(block.attention))
            if any(slot in self._points.slots for slot in slots):
                return True
        linears = (block.qkv, block.attn_proj, block.fc, block.mlp_proj)
        return len({self._storages[linear.weight.name].dtype for linear in linears}) > 1

    def _guarded(self, label: str, elements: int) -> Resource:
        """A vector that shares no cache line with another buffer.

        Stages read each other's vectors within one dispatch, during which nothing invalidates the first-level caches:
        a cache line that was loaded for a neighboring buffer would contain stale values of this one.
        """
        buffer = self._buffer(label, elements + 2 * _GUARD)
        return (buffer, 4 * _GUARD, 4 * elements)

    def _layer(self, layer: int, block: DecodeBlock, x_in: Resource, x_out: Resource) -> Dispatch:
        config, kept_in = self._config, self._block(block.section)
        c = config.channels
        lanes, _ = self._team
        teams = THREADS // lanes
        spans = -(-self._context // _SPAN)
        storage = self._storages[block.qkv.weight.name]
        assert block.norm_1.shift is not None
        assert block.norm_2.shift is not None
        kernel = self._kernels.get(
            "decode/layer", channels=c, heads=config.heads, head_size=config.head_size, context=self._context,
            threads=THREADS, lanes=lanes, span=_SPAN, dtype=storage.dtype, patience=_PATIENCE,
            scale=repr(1 / math.sqrt(config.head_size)), trace=kept_in is not None,
        )  # fmt: skip
        # The sum over the shader's stages, in their order.
        groups = -(-3 * c // (2 * teams)) + config.heads * spans + -(-c // teams) + -(-4 * c // (2 * teams))
        groups += -(-c // teams)
        return kernel.dispatch(
            (groups, 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(layer, *(kept_in.offsets[name] for name in block.outputs) if kept_in else ()),
                "counters": self.counters,
                "x_in": x_in,
                "x_mid": self._resid_mid,
                "x_out": x_out,
                "fresh": self._fresh,
                "mixed": self._mixed,
                "shares": self._shares,
                "hidden": self._hidden,
                "cache": self._shared.caches[layer],
                "ln_1_scale": self._vector(block.norm_1.scale.name),
                "ln_1_shift": self._vector(block.norm_1.shift.name),
                **self._chain_linear("qkv", block.qkv),
                **self._chain_linear("attn_proj", block.attn_proj),
                "ln_2_scale": self._vector(block.norm_2.scale.name),
                "ln_2_shift": self._vector(block.norm_2.shift.name),
                **self._chain_linear("fc", block.fc),
                **self._chain_linear("mlp_proj", block.mlp_proj),
                **self._activation_binding(kept_in),
            },
            cost=12 * c * c + 2 * c * self._context,
            label=block.resid_post.output,
        )

    def _chain_linear(self, name: str, linear: Linear) -> dict[str, Resource]:
        assert linear.bias is not None
        return {
            f"{name}_weight": resource(self._storages[linear.weight.name].shards[0]),
            f"{name}_bias": self._vector(linear.bias.name),
        }

    def stalled(self) -> bool:
        """True when a wait on the GPU was ever abandoned. Blocks."""
        return any(self._device.queue.read_buffer(self.counters, 0, 4))
