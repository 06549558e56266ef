"""A pygfx object of colored triangles: outlines, ribbons and boxes on the plane of a view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygfx as gfx
import wgpu
from pygfx.renderers.wgpu import BaseShader, Binding, GfxTextureView, register_wgpu_render_function

import wgsl

from .cells import BACKGROUND

_LEAST = 64  # corners in the smallest buffer


class Shapes(gfx.WorldObject):
    """Triangles with a color per corner, drawn over what was drawn before. `set` replaces them.

    With a `mask` they show only where the alpha of the mask, a texture with a texel per pixel of the picture, is 0.
    """

    def __init__(self, mask: gfx.Texture | None = None) -> None:
        super().__init__(_geometry(_LEAST, mask), ShapesMaterial())
        self.geometry: gfx.Geometry
        self._mask = mask
        self.visible = False

    def mask(self, texture: gfx.Texture) -> None:
        """Use another mask from now on. There must have been one."""
        self._mask = texture
        self.geometry.mask = texture

    def set(self, corners: np.ndarray, colors: np.ndarray) -> None:
        """Draw these triangles.

        corners: float32 [corners, 4]: x and y on the plane, then an offset in pixels, right and down; three are a
        triangle. colors: float32 [corners, 4], sRGB and alpha, from 0 to 1.
        """
        count = len(corners)
        self.visible = count > 0
        if not count:
            return
        space = self.geometry.corners.nitems
        if count > space:
            while space < count:
                space *= 2
            self.geometry = _geometry(space, self._mask)
        geometry = self.geometry
        for buffer, values in ((geometry.corners, corners), (geometry.colors, colors)):
            buffer.data[:count] = values
            buffer.data[count:] = 0  # triangles without an area
            buffer.update_full()


def _geometry(corners: int, mask: gfx.Texture | None) -> gfx.Geometry:
    usage = wgpu.BufferUsage.STORAGE
    zeros = np.zeros((corners, 4), np.float32)
    buffers = {"corners": gfx.Buffer(zeros, usage=usage), "colors": gfx.Buffer(zeros.copy(), usage=usage)}
    return gfx.Geometry(**buffers, **({} if mask is None else {"mask": mask}))


class ShapesMaterial(gfx.Material):
    """Blended in the order of the scene, without options."""

    def __init__(self) -> None:
        super().__init__(
            pick_write=False, alpha_mode="blend", depth_test=False, depth_write=False, render_queue=BACKGROUND
        )


@register_wgpu_render_function(Shapes, ShapesMaterial)
class ShapesShader(BaseShader):
    """Triangles from two storage buffers, and the shader in wgsl/scene/shapes.wgsl."""

    type = "render"

    def get_bindings(self, wobject: Shapes, shared: Any, scene: Any) -> dict[int, dict[int, Binding]]:
        """The standard uniforms, the corners and their colors."""
        geometry, stage = wobject.geometry, wgpu.ShaderStage.VERTEX
        bindings = {
            0: Binding("u_stdinfo", "buffer/uniform", shared.uniform_buffer),
            1: Binding("u_wobject", "buffer/uniform", wobject.uniform_buffer),
            2: Binding("s_corners", "buffer/read_only_storage", geometry.corners, stage),
            3: Binding("s_colors", "buffer/read_only_storage", geometry.colors, stage),
        }
        mask = getattr(geometry, "mask", None)
        self["masked"] = mask is not None
        if mask is not None:
            bindings[4] = Binding("t_mask", "texture/auto", GfxTextureView(mask), wgpu.ShaderStage.FRAGMENT)
        self.define_bindings(0, bindings)
        return {0: bindings}

    def get_pipeline_info(self, wobject: Shapes, shared: Any) -> dict[str, Any]:
        """A list of triangles."""
        return {"primitive_topology": wgpu.PrimitiveTopology.triangle_list, "cull_mode": wgpu.CullMode.none}

    def get_render_info(self, wobject: Shapes, shared: Any) -> dict[str, Any]:
        """All corners, once."""
        return {"indices": (wobject.geometry.corners.nitems, 1)}

    def get_code(self) -> str:
        """The shader, which pygfx completes with the bindings."""
        return wgsl.load("scene/shapes")
