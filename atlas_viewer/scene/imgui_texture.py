"""A texture that imgui shows."""

from __future__ import annotations

from typing import Any

import wgpu


class ImguiTexture:
    """Registers a texture, and later its replacements, with imgui's backend.

    `ref` is the `imgui.ImTextureRef` of the latest texture, or None before the first. The previous reference stays
    valid until the next replacement, because the current frame's widgets may already show it.
    """

    def __init__(self, backend: Any) -> None:
        """backend: the imgui renderer's backend."""
        self._backend = backend
        self._texture: wgpu.GPUTexture | None = None
        self._before: Any = None
        self.ref: Any = None

    def show(self, texture: wgpu.GPUTexture) -> None:
        """Make `ref` refer to `texture`."""
        if texture is self._texture:
            return
        if self._before is not None:
            self._backend.unregister_texture(self._before)
        self._before, self.ref = self.ref, self._backend.register_texture(texture.create_view())
        self._texture = texture
