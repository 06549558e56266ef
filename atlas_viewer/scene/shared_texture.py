"""Textures that pygfx shares with other code. This is the only file that touches pygfx's private names.

pygfx normally creates its own GPU textures. Here it adopts existing ones, so that a compute pass can write what the
scene shows, and lends its own, so that the user interface can show what the scene draws.
"""

from __future__ import annotations

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
