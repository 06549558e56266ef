"""Textures that pygfx shares with other code. This is the only file that touches pygfx's private names.

pygfx normally creates its own GPU textures. Here it adopts existing ones, so that a compute pass can write what the
scene shows, and lends its own, so that the user interface can show what the scene draws. What nobody uses is left out.
"""

from __future__ import annotations

from typing import Any

import pygfx as gfx
import wgpu
from pygfx.renderers.wgpu.engine.blender import Blender


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


def picture_renderer() -> gfx.WgpuRenderer:
    """A renderer for `render(..., flush=False)`: it draws into a texture of its own, see `drawn_color`.

    pygfx would also fill a texture with what is at each pixel, for picking with the mouse, and one with its depth,
    three times the bytes of the colors. Here elements are looked up by arithmetic, and views are planes.
    """
    renderer = gfx.WgpuRenderer(
        _size_only(1, 1), pixel_scale=1, pixel_filter="nearest", ppaa="none", enable_events=False
    )
    measure_depth(renderer, wanted=False)
    return renderer


def measure_depth(renderer: gfx.WgpuRenderer, *, wanted: bool) -> None:
    """Whether objects hide what is behind them by their depth, as solids need, or by the order of drawing."""
    renderer._blender = Blender(enable_pick=False, enable_depth=wanted)


def resize(renderer: gfx.WgpuRenderer, width: int, height: int) -> None:
    """Draw pictures of this size, in pixels, from now on. The renderer keeps its pipelines."""
    renderer._target = _size_only(width, height)


def _size_only(width: int, height: int) -> gfx.Texture:
    # Without a flush, nothing is ever drawn into a renderer's target, and pygfx does not create it on the GPU.
    return gfx.Texture(dim=2, size=(width, height, 1), format="rgba8unorm-srgb", colorspace="physical")


def drawn_color(renderer: gfx.WgpuRenderer) -> wgpu.GPUTexture:
    """The texture into which `renderer` has drawn with `flush=False`: rgba8unorm-srgb, as large as its target."""
    renderer._renders_since_last_flush = 0  # as after a flush; otherwise it would collect render states forever
    return renderer._blender.get_texture("color")


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
