"""The buffers that all programs of an engine share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import wgpu

from compute.models.description import Description
from compute.models.operations import Rope

from .kv_cache import KVCache, kv_cache
from .pass_plan import STATE_WORDS
from .rotations import rotation_table

HISTORY = 1 << 16  # tokens that the GPU can append to the context before the host writes the history again


@dataclass(frozen=True)
class ProgramBuffers:
    """Buffers that all programs use: the state, the tokens, the logits, the key-value caches.

    rotations: tables of rotary positions, by the frequencies of the rotation.
    """

    state: wgpu.GPUBuffer
    history: wgpu.GPUBuffer
    head_input: wgpu.GPUBuffer
    logits: wgpu.GPUBuffer
    caches: tuple[KVCache, ...]
    rotations: Mapping[tuple[float, ...], wgpu.GPUBuffer]

    @classmethod
    def create(
        cls, device: wgpu.GPUDevice, description: Description, context: int, *, textures: bool
    ) -> ProgramBuffers:
        """Buffers for contexts of up to `context` tokens. textures: keep the caches in textures."""
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC

        def buffer(label: str, elements: int, extra: int = 0) -> wgpu.GPUBuffer:
            return device.create_buffer(label=label, size=4 * elements, usage=usage | extra)

        frequencies = {operation.frequencies for operation in description.operations() if isinstance(operation, Rope)}
        positions = description.config.positions
        return cls(
            state=buffer("state", STATE_WORDS),
            history=buffer("history", context + HISTORY),
            head_input=buffer("head input", description.head.weight.shape[1], wgpu.BufferUsage.UNIFORM),
            logits=buffer("logits", -(-description.head.columns // 4) * 4),  # views read four values at once
            caches=tuple(
                kv_cache(device, attention, context, textures=textures) for attention in description.attention
            ),
            rotations={
                kind: device.create_buffer_with_data(
                    label="rotations", data=rotation_table(kind, positions), usage=wgpu.BufferUsage.STORAGE
                )
                for kind in frequencies
            },
        )
