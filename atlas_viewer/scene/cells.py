"""A pygfx object that shows a texture: one cell per texel, with patterns where values are not finite."""

from __future__ import annotations

from typing import Any

import pygfx as gfx
import wgpu
from pygfx.renderers.wgpu import BaseShader, Binding, GfxTextureView, register_wgpu_render_function

import wgsl

BACKGROUND = 1000  # pygfx draws what belongs to a view before objects of other queues


class Cells(gfx.WorldObject):
    """The cells of an rgba8unorm texture, the first from (0, 0) to (1, 1). wgsl/scene/cells.wgsl defines alpha."""

    def __init__(self, texture: gfx.Texture) -> None:
        super().__init__(gfx.Geometry(grid=texture), CellsMaterial())

    def show(self, texture: gfx.Texture) -> None:
        """Show another texture from now on."""
        self.geometry.grid = texture


class CellsMaterial(gfx.Material):
    """Drawn in the order of the scene over what is behind it, without options."""

    def __init__(self) -> None:
        super().__init__(
            pick_write=False, alpha_mode="solid", depth_test=False, depth_write=False, render_queue=BACKGROUND
        )


@register_wgpu_render_function(Cells, CellsMaterial)
class CellsShader(BaseShader):
    """Two triangles and the shader in wgsl/scene/cells.wgsl."""

    type = "render"

    def get_bindings(self, wobject: Cells, shared: Any, scene: Any) -> dict[int, dict[int, Binding]]:
        """The standard uniforms and the texture."""
        bindings = {
            0: Binding("u_stdinfo", "buffer/uniform", shared.uniform_buffer),
            1: Binding("u_wobject", "buffer/uniform", wobject.uniform_buffer),
            2: Binding(
                "t_cells",
                "texture/auto",
                GfxTextureView(wobject.geometry.grid),
                wgpu.ShaderStage.VERTEX | wgpu.ShaderStage.FRAGMENT,
            ),
        }
        self.define_bindings(0, bindings)
        return {0: bindings}

    def get_pipeline_info(self, wobject: Cells, shared: Any) -> dict[str, Any]:
        """A triangle strip."""
        return {"primitive_topology": wgpu.PrimitiveTopology.triangle_strip, "cull_mode": wgpu.CullMode.none}

    def get_render_info(self, wobject: Cells, shared: Any) -> dict[str, Any]:
        """Four vertices, one instance."""
        return {"indices": (4, 1)}

    def get_code(self) -> str:
        """The shader, which pygfx completes with the bindings."""
        return wgsl.load("scene/cells")
