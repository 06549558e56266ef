"""What views read: the tensors of a pass, of an engine or of a comparison of two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import wgpu

from compute.gpu.kernels import Kernels
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.operations import Attention
from compute.models.registry import Registry

from .edit_points import EditPoints


@dataclass
class Subtraction:
    """A difference of two passes: a - b, if `relative` divided by the larger magnitude."""

    a: PassTensors
    b: PassTensors
    relative: bool = False
    _scratch: list[wgpu.GPUBuffer] = field(default_factory=list)

    def scratch(self, size: int) -> tuple[wgpu.GPUBuffer, wgpu.GPUBuffer]:
        """Two buffers of at least `size` bytes, for what has to be computed of both before it is subtracted."""
        if not self._scratch or self._scratch[0].size < size:
            usage = wgpu.BufferUsage.STORAGE
            self._scratch = [self.a.device.create_buffer(label="compared", size=size, usage=usage) for _ in range(2)]
        return self._scratch[0], self._scratch[1]


class PassTensors(Protocol):
    """The values of every tensor in a pass; `compute.forward.engine.Engine` has those of its latest one.

    context: rows of the activations; layout: of matrices, "texture" or "buffer"; epoch: counts passes that changed more
    than the newest row; edit_changes: counts changes after which views bind weights and patterns again.
    """

    @property
    def registry(self) -> Registry:
        """The tensors."""

    @property
    def description(self) -> Description:
        """The model's operations."""

    @property
    def config(self) -> ModelConfig:
        """The model's sizes."""

    @property
    def device(self) -> wgpu.GPUDevice:
        """The device of all buffers."""

    @property
    def kernels(self) -> Kernels:
        """The pipelines of the device."""

    @property
    def context(self) -> int:
        """See the class."""

    @property
    def layout(self) -> str:
        """See the class."""

    @property
    def epoch(self) -> int:
        """See the class."""

    @property
    def edit_changes(self) -> int:
        """See the class."""

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the model and the tensors, in bytes."""

    @property
    def state_buffer(self) -> wgpu.GPUBuffer:
        """The state of the pass, see wgsl/common/state.wgsl."""

    @property
    def history_buffer(self) -> wgpu.GPUBuffer:
        """The token ids of the text, u32."""

    @property
    def logits_buffer(self) -> wgpu.GPUBuffer:
        """The logits, float32 [padded vocabulary, rounded up to a multiple of 4]."""

    @property
    def subtraction(self) -> Subtraction | None:
        """What the values are the difference of; None for those of a pass."""

    def attention_points(self, attention: Attention) -> tuple[EditPoints, int, int] | None:
        """See `Engine.attention_points`."""
