"""Textures that pygfx shares with other code. This is the only file that touches pygfx's private names.

pygfx normally creates its own GPU textures. Here it adopts existing ones, so that a compute pass can write what the
scene shows, and lends its own, so that the user interface can show what the scene draws. What nobody uses is left out.
"""

from __future__ import annotations

from typing import Any

import pygfx as gfx
import wgpu


def adopt(native: wgpu.GPUTexture, colorspace: str) -> gfx.Texture:
    """A pygfx texture that wraps `native`, a 2D texture on pygfx's own device, without copying.

    colorspace: "srgb" if shaders must decode the values to linear light, "physical" if the values are linear or the
    format decodes them.
    """
    width, height, _ = native.size
    texture = gfx.Texture(
        dim=2, size=(width, height, 1), format=native.format, colorspace=colorspace, usage=native.usage
    )
    texture._wgpu_object = native
    return texture


def drawn_color(renderer: gfx.WgpuRenderer) -> wgpu.GPUTexture:
    """The texture into which `renderer` has drawn with `flush=False`: rgba8unorm-srgb, as large as its target."""
    renderer._renders_since_last_flush = 0  # as after a flush; otherwise it would collect render states forever
    return renderer._blender.get_texture("color")


def leave_out_picking(renderer: gfx.WgpuRenderer) -> None:
    """Draw without the texture that finds the object at a pixel: 8 bytes per pixel, which nobody reads."""
    renderer._blender = type(renderer._blender)(enable_pick=False)


def load_font_index_on_demand() -> None:
    """Let pygfx forget which of its fonts contain which of 78,000 characters until a text object needs to know.

    Only objects that are added to Map contain texts: all others are drawn by imgui. The index takes 9 MB.
    """
    gfx.font_manager._default_font_map = _FontIndex(gfx.font_manager)


class _FontIndex:
    """The fonts by character, read from pygfx's file when it is first asked for one."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def get(self, character: int, default: Any) -> Any:
        """The fonts of a character."""
        self._manager._load_default_font_index()  # replaces this object
        return self._manager._default_font_map.get(character, default)
