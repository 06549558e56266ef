"""A model in GPU memory: its weights, its activations, and the buffers that its programs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import wgpu

from compute.errors import CheckpointError, MemoryBudgetError, UsageError, option
from compute.gpu.device import is_software, shared_device
from compute.gpu.kernels import Kernels, shared_kernels
from compute.gpu.loading import Loading
from compute.gpu.subgroups import NO_SUBGROUPS
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.io.size_text import size_text
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.registry import TensorStorage
from compute.weights.checkpoint import WeightSource
from compute.weights.limits import unsupported_reason
from compute.weights.upload import WeightUpload, weight_layout

from .activation_buffers import Activations
from .attention_kernels import longest_context
from .edit_points import EditPoints
from .load_options import LoadOptions
from .memory_budget import available_bytes, check_budget, chunk_rows, context_bytes, free_bytes, scratch_bytes
from .program import Program
from .program_buffers import ProgramBuffers

P = TypeVar("P", bound=Program)


@dataclass(frozen=True)
class ModelMemory:
    """Everything that a model has on the GPU: `nbytes` bytes, for contexts of up to `context` tokens."""

    model_name: str
    description: Description
    context: int
    layout: str  # of matrices: "texture" or "buffer"
    dtype: str  # of most matrices
    types: dict[str, str]  # of the parameters, by name; see `weight_types`
    kernels: Kernels
    storages: dict[str, TensorStorage]  # of the parameters, by name
    activations: Activations | None  # None when they are not kept
    shared: ProgramBuffers
    nbytes: int
    chunk: int  # rows of the longest chunk of a prompt on a GPU

    @property
    def config(self) -> ModelConfig:
        """The model's sizes."""
        return self.description.config

    @property
    def device(self) -> wgpu.GPUDevice:
        """The device of all buffers."""
        return self.kernels.device

    def program(
        self,
        kind: type[P],
        rows: int,
        team: tuple[int, bool] = NO_SUBGROUPS,
        *,
        points: EditPoints | None = None,
        copies: Mapping[str, TensorStorage] = MappingProxyType({}),
    ) -> P:
        """A program over these weights and buffers for up to `rows` rows; team: see `team_size`.

        points: the tensors to edit; copies: edited weights by name, which it uses instead.
        """
        return kind(
            self.kernels, self.description, {**self.storages, **copies}, self.shared, self.activations, self.context,
            rows, team, points,
        )  # fmt: skip

    def write_history(self, tokens: Sequence[int], at: int = 0) -> None:
        """Write token ids to the history, from index `at` on."""
        self.device.queue.write_buffer(self.shared.history, 4 * at, np.asarray(tokens, np.uint32).tobytes())

    def write_state(self, state: bytes) -> None:
        """Write the state that dispatches read that are submitted from now on."""
        self.device.queue.write_buffer(self.shared.state, 0, state)

    def twin(self, context: int | None = None) -> ModelMemory:
        """The same weights with other activations and program buffers, of which `nbytes` is the size.

        context: in tokens, by default as many as here. Raises `MemoryBudgetError` when they do not fit beside these.
        """
        description, tokens, trace = self.description, context or self.context, self.activations is not None
        chunk = min(self.chunk, -(-tokens // 16) * 16)
        needed = context_bytes(description, context=tokens, trace=trace) + scratch_bytes(description, chunk)
        free = free_bytes(self.device.adapter, self.nbytes)
        if free is not None and needed > free:
            raise MemoryBudgetError(
                f"a second run needs {size_text(needed)} of GPU memory beside the model, {size_text(free)} are free:"
                f" use a shorter context ({option('context')}) or a smaller model"
            )
        return replace(
            self,
            context=tokens,
            activations=Activations(self.device, description, tokens) if trace else None,
            shared=ProgramBuffers.create(self.device, description, tokens, textures=self.layout == "texture"),
            nbytes=needed,
            chunk=chunk,
        )

    def run(self, dispatches: Sequence[Dispatch]) -> None:
        """Submit dispatches. Does not wait for them."""
        encoder = ComputeEncoder(self.device)
        encoder.run(dispatches)
        encoder.submit()

    def read_logits(self) -> np.ndarray:
        """The logits of the latest pass, float32 [padded vocabulary]. Blocks, so never call it inside a frame."""
        data = self.device.queue.read_buffer(self.shared.logits)
        return np.frombuffer(data, np.float32)[: self.config.padded_vocabulary].copy()  # [padded vocabulary]


def load_memory(source: WeightSource, options: LoadOptions) -> Loading[ModelMemory]:
    """Check that the model fits, open the shared device and upload the weights. Raises `AtlasError`s."""
    config, context, dtype = source.config, options.context_for(source), options.dtype_for(source)
    if not 1 <= context <= config.positions:
        raise UsageError(f"{option('context', context)}: must be from 1 to {config.positions}, the model's positions")
    reason = unsupported_reason(config)
    if reason is not None:
        raise CheckpointError(f"{source.name}: {reason}; such a model cannot run here, use another")
    description = describe(config)
    device = shared_device(options.adapter)
    if context > (most := longest_context(device)):
        raise UsageError(
            f"{option('context', context)}: on this adapter, attention has memory for the scores of {most} keys; use"
            f" {option('context', most)} or less"
        )
    layout = options.layout or weight_layout(device.adapter)
    types = options.types_for(source)
    check_budget(
        source.name, description, dtype=dtype, types=types, context=context, trace=options.trace,
        available=available_bytes(device.adapter),
    )  # fmt: skip
    upload = WeightUpload(device, source, layout=layout, types=types)
    storages = yield from upload.run()
    activations = Activations(device, description, context) if options.trace else None
    caches = sum(8 * attention.key.columns for attention in description.attention) * context
    nbytes = upload.nbytes + caches + (activations.nbytes if activations else 0)
    # Software adapters would only compile more kernels.
    free = None if is_software(device.adapter) else free_bytes(device.adapter, nbytes)
    chunk = chunk_rows(description, context, free)
    return ModelMemory(
        model_name=source.name,
        description=description,
        context=context,
        layout=layout,
        dtype=dtype,
        types=types,
        kernels=shared_kernels(device),
        storages=storages,
        activations=activations,
        shared=ProgramBuffers.create(device, description, context, textures=layout == "texture"),
        nbytes=nbytes + scratch_bytes(description, chunk),
        chunk=chunk,
    )
