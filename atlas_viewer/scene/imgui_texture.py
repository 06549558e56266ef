"""A texture that imgui shows."""

from __future__ import annotations

from typing import Any

import wgpu


class ImguiTexture:
    """Registers a texture with imgui's backend, and later its replacements.

    `ref` is the `imgui.ImTextureRef` of the latest texture, None before the first. The reference before it stays valid
    until the next replacement, because the widgets of the present frame may already show it.
    """

    def __init__(self, backend: Any) -> None:
        """backend: the backend of the imgui renderer."""
        self._backend = backend
        self._texture: wgpu.GPUTexture | None = None
        self._before: Any = None
        self.ref: Any = None

    def show(self, texture: wgpu.GPUTexture) -> None:
        """Let `ref` refer to `texture`."""
        if texture is self._texture:
            return
        if self._before is not None:
            self._backend.unregister_texture(self._before)
        self._before, self.ref = self.ref, self._backend.register_texture(texture.create_view())
        self._texture = texture
