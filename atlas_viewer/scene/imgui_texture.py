"""A texture as imgui shows it."""

from __future__ import annotations

from typing import Any

import wgpu


class ImguiTexture:
    """Registers a texture with imgui's backend, and later another one in its place.

    `ref` is the `imgui.ImTextureRef` of the texture, None before the first one. The reference before it stays valid,
    because a frame's widgets may show it already, until the texture is replaced again.
    """

    def __init__(self, backend: Any) -> None:
        """backend: of the imgui renderer."""
        self._backend = backend
        self._texture: wgpu.GPUTexture | None = None
        self._before: Any = None
        self.ref: Any = None

    def show(self, texture: wgpu.GPUTexture) -> None:
        """Make `texture` the one that `ref` refers to."""
        if texture is self._texture:
            return
        if self._before is not None:
            self._backend.unregister_texture(self._before)
        self._before, self.ref = self.ref, self._backend.register_texture(texture.create_view())
        self._texture = texture
