"""The buffers that all programs of an engine share."""

from __future__ import annotations

from dataclasses import dataclass

import wgpu

from compute.models.description import Description
from compute.models.operations import Attention

from .pass_plan import STATE_WORDS

HISTORY = 1 << 16  # tokens that the GPU can append to the context before the host writes the history again


@dataclass(frozen=True)
class ProgramBuffers:
    """Buffers that all programs use: the state, the tokens, the logits, the key-value caches."""

    state: wgpu.GPUBuffer
    history: wgpu.GPUBuffer
    head_input: wgpu.GPUBuffer
    logits: wgpu.GPUBuffer
    caches: tuple[wgpu.GPUBuffer | wgpu.GPUTexture, ...]

    @classmethod
    def create(
        cls, device: wgpu.GPUDevice, description: Description, context: int, *, textures: bool
    ) -> ProgramBuffers:
        """Buffers for contexts of up to `context` tokens. textures: keep the caches in textures."""
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC

        def buffer(label: str, elements: int, extra: int = 0) -> wgpu.GPUBuffer:
            return device.create_buffer(label=label, size=4 * elements, usage=usage | extra)

        def cache(attention: Attention) -> wgpu.GPUBuffer | wgpu.GPUTexture:
            label = f"keys and values of {attention.output}"
            if not textures:
                return buffer(label, 2 * attention.columns * context)
            return device.create_texture(
                label=label,
                size=(context, attention.columns // 2, 1),
                format="rgba32float",
                usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING,
            )

        return cls(
            state=buffer("state", STATE_WORDS),
            history=buffer("history", context + HISTORY),
            head_input=buffer("head input", description.final_norm.columns, wgpu.BufferUsage.UNIFORM),
            logits=buffer("logits", -(-description.head.columns // 4) * 4),  # views read four values at once
            caches=tuple(cache(attention) for attention in description.attention),
        )
