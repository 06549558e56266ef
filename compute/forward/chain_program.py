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
_BLOCKS = 12  # per dispatch at most
_TEAM_ROWS = {"qkv_rows": 2, "attn_proj_rows": 1, "fc_rows": 2, "mlp_proj_rows": 1}  # rows of each matrix per team
_WIDE, _WIDE_ROWS = 1024, {"fc_rows": 3}  # channels from which on other numbers are faster
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
        stream, other = self._buffer("resid 0", c), self._buffer("resid 1", c)
        self._bound = self._blocks_per_dispatch()
        self._handed = self._buffer("handed on", self._bound * (9 * c + spans * c + 2 * spans * heads))
        self._chained = 0  # blocks of a token in such dispatches
        self.stall_flag = self._buffer("stall flag", 4)
        body = self._embed(self._embedding, stream, edits=True, cleared=self._handed)
        if any(self._needs_fused_layer(block) for block in self._stretches):
            self._layer_scratch()
        for run in self._runs():
            if self._needs_fused_layer(self._stretches[run.start]):
                body += self._fused_layer(run.start, self._stretches[run.start], stream)
            else:
                body.append(self._layers(run, stream, other))
                stream, other = other, stream
        return body, self._gpu_head(stream, normed=True)

    def _blocks_per_dispatch(self) -> int:
        """The blocks that are bound together: the same number in all dispatches, so that they share a kernel."""
        limit: int = self._device.limits["max-storage-buffers-per-shader-stage"]
        most = min(_BLOCKS, (limit - _SHARED_BINDINGS) // _BLOCK_BINDINGS)
        layers = len(self._stretches)
        return -(-layers // -(-layers // most))

    def _runs(self) -> list[range]:
        """The layers of each dispatch; a layer that needs dispatches of its own is a run."""
        runs: list[range] = []
        for layer, block in enumerate(self._stretches):
            joins = (
                layer % self._bound > 0
                and not self._needs_fused_layer(block)
                and not self._needs_fused_layer(self._stretches[layer - 1])
                and self._dtype(layer) == self._dtype(layer - 1)
            )
            if joins:
                runs[-1] = range(runs[-1].start, layer + 1)
            else:
                runs.append(range(layer, layer + 1))
        return runs

    def _dtype(self, layer: int) -> str:
        return self._storages[self._stretches[layer].qkv.weight.name].dtype

    def _needs_fused_layer(self, block: DecodeBlock) -> bool:
        """True for a layer with edits, or with an edited weight of another type than the others."""
        if self._points is not None:
            slots = (*block.outputs, *self._points.attention_slots(block.attention))
            if any(slot in self._points.slots for slot in slots):
                return True
        linears = (block.qkv, block.attn_proj, block.fc, block.mlp_proj)
        return len({self._storages[linear.weight.name].dtype for linear in linears}) > 1

    def _layers(self, run: range, x_in: Resource, x_out: Resource) -> Dispatch:
        """These layers in one dispatch, which binds others besides."""
        config, context = self._config, self._context
        c = config.channels
        lanes, _ = self._team
        threads = _threads(self._device)
        team_rows = _TEAM_ROWS | (_WIDE_ROWS if c > _WIDE else {})
        teams = threads // lanes
        spans = -(-context // _SPAN)
        kernel = self._kernels.get(
            "decode/layers", channels=c, heads=config.heads, head_size=config.head_size, context=context,
            threads=threads, lanes=lanes, span=_SPAN, early_spans=min(_EARLY_SPANS, spans), blocks=self._bound,
            dtype=self._dtype(run.start), patience=_PATIENCE,
            scale=repr(1 / math.sqrt(config.head_size)), trace=self._blocks is not None, **team_rows,
        )  # fmt: skip
        outputs = (3 * c, c, 4 * c, c)
        groups = sum(-(-n // (teams * rows)) for n, rows in zip(outputs, team_rows.values(), strict=True))
        groups += config.heads * spans
        first = min(run.start // self._bound * self._bound, len(self._stretches) - self._bound)
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._layers_params(first, run),
            "stall": self.stall_flag,
            "handed": self._handed,
            "x_in": x_in,
            "x_out": x_out,
        }
        for index in range(self._bound):
            tensors = self._block_bindings(first + index, self._stretches[first + index])
            bound |= {f"{name}_{index}": tensor for name, tensor in tensors.items()}
        cost = len(run) * (12 * c * c + 2 * c * context)
        label = self._stretches[run[-1]].resid_post.output
        return kernel.dispatch((len(run) * groups, 1, 1), bound, cost=cost, label=label)

    def _layers_params(self, first: int, run: range) -> Resource:
        """Parameters of a dispatch that runs these layers; first: the first that is bound."""
        words = np.zeros((self._bound, 12), np.uint32)
        for layer in run:
            # Parts are used in turns. The buffer is cleared when a token begins, so the first tag is 1.
            turn, part = divmod(self._chained, self._bound)
            block = self._stretches[layer]
            words[layer - first] = 1 - turn % 2, part, *(self._offset(block.section, name) for name in block.outputs)
            self._chained += 1
        data = np.array([run.start - first, len(run), 0, 0, *words.ravel()], np.uint32)
        buffer = self._buffer("params of layers", data.size, wgpu.BufferUsage.UNIFORM)
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
