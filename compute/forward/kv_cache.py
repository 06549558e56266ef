"""The KV cache: keys and values of the context, for each layer, which later tokens attend to."""

from __future__ import annotations

from typing import TypeAlias

import wgpu

from compute.models.operations import Attention

KVCache: TypeAlias = wgpu.GPUBuffer | wgpu.GPUTexture
"""float32, for the keys and the values of up to `context` tokens; wgsl/common/kv_cache.wgsl has the layout."""


def kv_cache(device: wgpu.GPUDevice, attention: Attention, context: int, *, textures: bool) -> KVCache:
    """An empty cache for the attention of one block. textures: in a texture, which software adapters read faster."""
    label = f"keys and values of {attention.output}"
    if not textures:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        return device.create_buffer(label=label, size=8 * attention.key.columns * context, usage=usage)
    return device.create_texture(
        label=label,
        size=(context, attention.key.columns // 2, 1),
        format="rgba32float",
        usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING,
    )
