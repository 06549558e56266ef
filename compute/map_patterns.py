"""Attention patterns for the map: recomputed on the GPU from the kept queries and keys, within a memory budget."""

from __future__ import annotations

import math

import numpy as np
import wgpu

from .engine import Engine
from .kernels import Kernel
from .native import Dispatch
from .program import resource
from .registry import Tensor

_BUDGET = 1 << 30  # bytes


class PatternStore:
    """Buffers for the patterns of as many layers as the budget allows, each [heads, window, `stride`] float32.

    When not all fit, a layer that is asked for takes the place of the one that was used longest ago.
    """

    def __init__(self, engine: Engine, budget: int = _BUDGET) -> None:
        """Nothing is recomputed yet."""
        config, window = engine.config, engine.context
        self._engine = engine
        self.tensors = [tensor for tensor in engine.registry if tensor.heads]
        self.stride = -(-window // 4) * 4
        size = 4 * config.heads * window * self.stride
        count = max(1, min(len(self.tensors), budget // size))
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        self._buffers = [
            engine.device.create_buffer(label=f"attention patterns {slot}", size=size, usage=usage)
            for slot in range(count if self.tensors else 0)
        ]
        self.nbytes = size * len(self._buffers)
        self._holds: dict[int, str] = {}  # slot: whose pattern, the one used last at the end
        self._whole: set[str] = set()  # those of which a buffer has all rows
        self._params: dict[int, wgpu.GPUBuffer] = {}

    def _kernel(self) -> Kernel:
        config, window = self._engine.config, self._engine.context
        return self._engine.kernels.get(
            "attention_pattern", channels=config.channels, head_size=config.head_size, window=window,
            stride=self.stride, scale=repr(1 / math.sqrt(config.head_size)),
        )  # fmt: skip

    def forget(self) -> None:
        """Every row is another one now."""
        self._whole.clear()

    def rows(self, tensor: Tensor, first: int, end: int) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer in which rows `first` to `end` of a pattern are once the dispatches have run."""
        held = {name: slot for slot, name in self._holds.items()}
        slot = held.get(tensor.name)
        if slot is None:
            slot = len(self._holds) if len(self._holds) < len(self._buffers) else next(iter(self._holds))
            self._whole.discard(self._holds.get(slot, ""))
        self._holds.pop(slot, None)
        self._holds[slot] = tensor.name
        if first == 0:
            self._whole.add(tensor.name)
        return self._buffers[slot], [self.work(tensor, first, end, self._buffers[slot])] if end > first else []

    def whole(self, tensor: Tensor) -> tuple[wgpu.GPUBuffer, list[Dispatch]]:
        """The buffer in which all rows of a pattern are once the dispatches have run."""
        rows = self._engine.registry.rows
        return self.rows(tensor, rows if tensor.name in self._whole else 0, rows)

    def work(self, tensor: Tensor, first: int, end: int, target: wgpu.GPUBuffer) -> Dispatch:
        """What writes rows `first` to `end` of a pattern to `target`."""
        if first not in self._params:
            words = np.asarray([first, 0, 0, 0], np.uint32)
            self._params[first] = self._engine.device.create_buffer_with_data(
                data=words, usage=wgpu.BufferUsage.UNIFORM
            )
        source = self._engine.registry[tensor.name.replace("attn.pattern", "attn.qkv")].storage.pieces[0]
        return self._kernel().dispatch(
            (tensor.heads, end - first, 1),
            {"params": self._params[first], "qkv": resource(source), "pattern": target},
            label=tensor.name,
        )
