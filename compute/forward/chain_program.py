"""One token on a GPU with one dispatch per layer: the stages of a block wait for each other on the GPU."""

from __future__ import annotations

import math

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch

from .activation_buffers import ActivationBlock
from .program import THREADS, Program, resource

_SPAN = 64  # keys per workgroup of attention
_GUARD = 64  # words on each side of a vector: more than a cache line
_COUNTER_STRIDE = 32  # words, as in the shader
_PATIENCE = 1 << 20  # polls before a wait is abandoned, about a second
_BINDINGS = 24

_STORED = (
    "ln_1", "attn.qkv", "attn.out", "attn.c_proj", "resid_mid", "ln_2", "mlp.c_fc", "mlp.gelu", "mlp.c_proj",
    "resid_post",
)  # fmt: skip


class ChainProgram(Program):
    """A pass over one row. It needs subgroups and a GPU that starts workgroups in order: see wgsl/decode/layer.wgsl."""

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
        blocks = self._blocks
        body = self._embed(self._residuals[0], blocks[0] if blocks else None)
        body += [self._layer(layer, blocks[1 + layer] if blocks else None) for layer in range(layers)]
        last = self._residuals[layers % 2]
        head = self._gpu_head(blocks[-1] if blocks else None, last, normed=True, counters=self.counters)
        return body, head

    def _guarded(self, label: str, elements: int) -> Resource:
        """A vector that shares no cache line with another buffer.

        Stages read each other's vectors within one dispatch, during which nothing invalidates the first-level caches:
        a cache line that was loaded for a neighboring buffer would contain stale values of this one.
        """
        buffer = self._buffer(label, elements + 2 * _GUARD)
        return (buffer, 4 * _GUARD, 4 * elements)

    def _layer(self, layer: int, block: ActivationBlock | None) -> Dispatch:
        config, h = self._config, f"h.{layer}."
        c = config.channels
        lanes, _ = self._team
        teams = THREADS // lanes
        spans = -(-self._context // _SPAN)
        storage = self._storages[h + "attn.c_attn.weight"]
        kernel = self._kernels.get(
            "decode/layer", channels=c, heads=config.heads, head_size=config.head_size, context=self._context,
            threads=THREADS, lanes=lanes, span=_SPAN, dtype=storage.dtype, patience=_PATIENCE,
            scale=repr(1 / math.sqrt(config.head_size)), trace=block is not None,
        )  # fmt: skip
        # The sum over the shader's stages, in their order.
        groups = -(-3 * c // (2 * teams)) + config.heads * spans + -(-c // teams) + -(-4 * c // (2 * teams))
        groups += -(-c // teams)
        return kernel.dispatch(
            (groups, 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(layer, *(block.offsets[h + name] for name in _STORED) if block else ()),
                "counters": self.counters,
                "x_in": self._residuals[layer % 2],
                "x_mid": self._resid_mid,
                "x_out": self._residuals[1 - layer % 2],
                "fresh": self._fresh,
                "mixed": self._mixed,
                "shares": self._shares,
                "hidden": self._hidden,
                "cache": self._shared.caches[layer],
                "ln_1_scale": self._vector(h + "ln_1.weight"),
                "ln_1_shift": self._vector(h + "ln_1.bias"),
                "qkv_weight": resource(storage.shards[0]),
                "qkv_bias": self._vector(h + "attn.c_attn.bias"),
                "attn_proj_weight": resource(self._storages[h + "attn.c_proj.weight"].shards[0]),
                "attn_proj_bias": self._vector(h + "attn.c_proj.bias"),
                "ln_2_scale": self._vector(h + "ln_2.weight"),
                "ln_2_shift": self._vector(h + "ln_2.bias"),
                "fc_weight": resource(self._storages[h + "mlp.c_fc.weight"].shards[0]),
                "fc_bias": self._vector(h + "mlp.c_fc.bias"),
                "mlp_proj_weight": resource(self._storages[h + "mlp.c_proj.weight"].shards[0]),
                "mlp_proj_bias": self._vector(h + "mlp.c_proj.bias"),
                **self._activation_binding(block),
            },
            cost=12 * c * c + 2 * c * self._context,
            label=h.rstrip("."),
        )

    def stalled(self) -> bool:
        """True when a wait on the GPU was ever abandoned. Blocks."""
        return any(self._device.queue.read_buffer(self.counters, 0, 4))
