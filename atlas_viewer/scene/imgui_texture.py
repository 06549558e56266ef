"""A texture as imgui shows it."""

from __future__ import annotations

from typing import Any

import wgpu


class ImguiTexture:
    """Registers a texture with imgui's backend, and another one in its place."""

    def __init__(self, backend: Any) -> None:
        """backend: of the imgui renderer."""
        self._backend = backend
        self._shown: tuple[Any, wgpu.GPUTexture] | None = None

    def of(self, texture: wgpu.GPUTexture) -> Any:
        """The `imgui.ImTextureRef` of `texture`; that of the one before is no longer valid."""
        if self._shown is None or self._shown[1] is not texture:
            if self._shown is not None:
                self._backend.unregister_texture(self._shown[0])
            self._shown = (self._backend.register_texture(texture.create_view()), texture)
        return self._shown[0]
