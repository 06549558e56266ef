"""One token on a GPU with one dispatch for several layers: the stages of a block wait for each other on the GPU."""

from __future__ import annotations

import math

import numpy as np
import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.config import ModelConfig
from compute.models.operations import Linear

from .decode_block import DecodeBlock
from .fused_layers import FusedLayers
from .program import resource

_SPAN = 64  # keys per workgroup of attention
_EARLY_SPANS = 5  # that the projection takes before it knows how they are weighted
_THREADS = 512  # per workgroup, where the device has as many
_BLOCKS, _FEW = 12, 4  # per dispatch at most, and in a model with edits
_TEAM_ROWS = {"qkv_rows": 2, "attn_proj_rows": 1, "fc_rows": 2, "mlp_proj_rows": 1}  # rows of each matrix per team
_WIDE, _WIDE_ROWS = 1024, {"fc_rows": 3}  # channels from which on other numbers are faster
_GUARD = 64  # words on each side of a vector: more than a cache line
_PATIENCE = 1 << 20  # polls before a wait is abandoned, about a second
_SHARED_BINDINGS, _BLOCK_BINDINGS = 6, 14


class ChainProgram(FusedLayers):
    """A pass over one row; layers with edits take five dispatches.

    It needs subgroups and a GPU that starts workgroups in order: see wgsl/decode/layers.wgsl.
    """

    @staticmethod
    def suits(device: wgpu.GPUDevice, subgroups: bool) -> bool:
        """True when the kernel can be built on this device."""
        enough = device.limits["max-storage-buffers-per-shader-stage"] >= _SHARED_BINDINGS + _BLOCK_BINDINGS
        return subgroups and enough

    @staticmethod
    def fits(device: wgpu.GPUDevice, config: ModelConfig, context: int) -> bool:
        """True when the device has enough workgroup memory for a model and its context."""
        spans = -(-context // _SPAN)
        # The vector, shares and factors of the spans, and what attention needs.
        nbytes = 16 * config.channels + 12 * spans * config.heads + 24 * _threads(device) + 4 * _SPAN
        return bool(device.limits["max-compute-workgroup-storage-size"] >= nbytes)

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c, heads = self._config.channels, self._config.heads
        spans = -(-self._context // _SPAN)
        self._residuals = [self._guarded("resid 0", c), self._guarded("resid 1", c)]
        self._handed = self._buffer("handed on", _BLOCKS * (9 * c + spans * c + 2 * spans * heads))
        self.stall_flag = self._buffer("stall flag", 4)
        stream, other = self._residuals
        body = self._embed(self._embedding, stream, edits=True, cleared=self._handed)
        if any(self._needs_fused_layer(block) for block in self._stretches):
            self._layer_scratch()
        tag = 1  # of a dispatch; the buffer is cleared when a token begins
        for first, blocks in self._runs():
            if blocks:
                body.append(self._layers(first, blocks, tag, stream, other))
                stream, other = other, stream
                tag = 1 - tag
            else:
                body += self._fused_layer(first, self._stretches[first], stream)
        return body, self._gpu_head(stream, normed=True)

    def _runs(self) -> list[tuple[int, list[DecodeBlock]]]:
        """(first layer, its blocks) of each dispatch; no blocks for a layer that needs dispatches of its own.

        Every other number of blocks is another kernel to compile: with edits they are `_FEW` or one.
        """
        limit = self._device.limits["max-storage-buffers-per-shader-stage"]
        most = min(_BLOCKS, (limit - _SHARED_BINDINGS) // _BLOCK_BINDINGS)
        blocks = self._stretches
        parts = -(-len(blocks) // most)
        size = -(-len(blocks) // parts) if self._alike(blocks) else min(_FEW, most)
        runs: list[tuple[int, list[DecodeBlock]]] = []
        layer = 0
        while layer < len(blocks):
            run = blocks[layer : layer + size]
            if self._needs_fused_layer(blocks[layer]):
                run = []
            elif len(run) < size or not self._alike(run):
                run = run[:1]
            runs.append((layer, run))
            layer += max(1, len(run))
        return runs

    def _alike(self, blocks: list[DecodeBlock]) -> bool:
        """True for layers that one dispatch can take."""
        types = {self._storages[block.qkv.weight.name].dtype for block in blocks}
        return len(types) == 1 and not any(self._needs_fused_layer(block) for block in blocks)

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

    def _layers(self, first: int, blocks: list[DecodeBlock], tag: int, x_in: Resource, x_out: Resource) -> Dispatch:
        """The layers from `first` on in one dispatch. tag: of what it hands on, not of what is left over."""
        config, context = self._config, self._context
        c = config.channels
        lanes, _ = self._team
        threads = _threads(self._device)
        team_rows = _TEAM_ROWS | (_WIDE_ROWS if c > _WIDE else {})
        teams = threads // lanes
        spans = -(-context // _SPAN)
        kernel = self._kernels.get(
            "decode/layers", channels=c, heads=config.heads, head_size=config.head_size, context=context,
            threads=threads, lanes=lanes, span=_SPAN, early_spans=min(_EARLY_SPANS, spans), blocks=len(blocks),
            dtype=self._storages[blocks[0].qkv.weight.name].dtype, patience=_PATIENCE,
            scale=repr(1 / math.sqrt(config.head_size)), trace=self._blocks is not None, **team_rows,
        )  # fmt: skip
        outputs = (3 * c, c, 4 * c, c)
        groups = sum(-(-n // (teams * rows)) for n, rows in zip(outputs, team_rows.values(), strict=True))
        groups += config.heads * spans
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._block_params(blocks, tag),
            "stall": self.stall_flag,
            "handed": self._handed,
            "x_in": x_in,
            "x_out": x_out,
        }
        for index, block in enumerate(blocks):
            tensors = self._block_bindings(first + index, block)
            bound |= {f"{name}_{index}": tensor for name, tensor in tensors.items()}
        cost = len(blocks) * (12 * c * c + 2 * c * context)
        return kernel.dispatch((len(blocks) * groups, 1, 1), bound, cost=cost, label=blocks[-1].resid_post.output)

    def _block_params(self, blocks: list[DecodeBlock], tag: int) -> Resource:
        """The tag, and where the activations of each block are kept."""
        words = [[tag, 0, *(self._offset(block.section, name) for name in block.outputs)] for block in blocks]
        data = np.array(words, np.uint32)
        buffer = self._buffer("params of blocks", data.size, wgpu.BufferUsage.UNIFORM)
        self._device.queue.write_buffer(buffer, 0, data.tobytes())
        return buffer

    def _block_bindings(self, layer: int, block: DecodeBlock) -> dict[str, Resource]:
        assert block.norm_1.shift is not None
        assert block.norm_2.shift is not None
        return {
            "cache": self._shared.caches[layer],
            "ln_1_scale": self._vector(block.norm_1.scale.name),
            "ln_1_shift": self._vector(block.norm_1.shift.name),
            **self._chain_linear("qkv", block.qkv),
            **self._chain_linear("attn_proj", block.attn_proj),
            "ln_2_scale": self._vector(block.norm_2.scale.name),
            "ln_2_shift": self._vector(block.norm_2.shift.name),
            **self._chain_linear("fc", block.fc),
            **self._chain_linear("mlp_proj", block.mlp_proj),
            **self._activation_binding(self._block(block.section)),
        }

    def _chain_linear(self, name: str, linear: Linear) -> dict[str, Resource]:
        assert linear.bias is not None
        return {
            f"{name}_weight": resource(self._storages[linear.weight.name].shards[0]),
            f"{name}_bias": self._vector(linear.bias.name),
        }

    def stalled(self) -> bool:
        """True when a wait on the GPU was ever abandoned. Blocks."""
        return any(self._device.queue.read_buffer(self.stall_flag, 0, 4))


def _threads(device: wgpu.GPUDevice) -> int:
    return int(min(_THREADS, device.limits["max-compute-invocations-per-workgroup"]))
