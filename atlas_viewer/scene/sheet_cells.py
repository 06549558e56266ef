"""A pygfx object that shows the sheet of Strip: the cells of a texture, arranged in boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygfx as gfx
import wgpu
from pygfx.renderers.wgpu import BaseShader, Binding, GfxTextureView, register_wgpu_render_function

import wgsl
from compute.views.map_digits import digit_style, glyph_size, glyph_top, powers_of_ten
from compute.views.strip_sheet import StripSheet

from .cells import BACKGROUND
from .glyphs import digit_glyphs


class SheetCells(gfx.WorldObject):
    """The boxes of a sheet, one unit per cell. wgsl/scene/sheet.wgsl defines how cells are drawn."""

    def __init__(self, texture: gfx.Texture, values: gfx.Texture) -> None:
        """texture, values: Strip as `StripPass` paints it."""
        usage = wgpu.BufferUsage.STORAGE
        self._style = gfx.Buffer(np.ones((1, 4), np.uint32), usage=usage)
        self._ink = gfx.Buffer(np.zeros(2, np.float32), usage=usage)  # opacity, and the size of cells
        self._fixed = {
            "style": self._style,
            "ink": self._ink,
            "powers": gfx.Buffer(powers_of_ten(), usage=usage),
            "glyphs": gfx.Texture(np.ascontiguousarray(digit_glyphs()), dim=2, colorspace="physical"),
        }
        super().__init__(_geometry(texture, values, StripSheet(1, 1, (), ()), False, self._fixed), SheetMaterial())
        self.geometry: gfx.Geometry

    def show(self, texture: gfx.Texture, values: gfx.Texture, sheet: StripSheet, *, light: bool) -> None:
        """Arrange the cells of `texture` as `sheet` says; light: for the light theme."""
        self.geometry = _geometry(texture, values, sheet, light, self._fixed)

    def scale(self, pixels: float) -> None:
        """Write the values of cells that are `pixels` wide, if that is wide enough for digits."""
        style = digit_style(pixels)
        self._ink.data[:] = style.ink if style else 0.0, pixels
        if style:
            self._style.data[0] = (style.figures, *glyph_size(style.glyph_width), glyph_top(style.glyph_width))
            self._style.update_full()
        self._ink.update_full()


def _geometry(
    texture: gfx.Texture, values: gfx.Texture, sheet: StripSheet, light: bool, fixed: dict[str, Any]
) -> gfx.Geometry:
    boxes = np.zeros((max(len(sheet.boxes), 1), 4), np.float32)
    spans = np.zeros_like(boxes)
    for number, box in enumerate(sheet.boxes):
        boxes[number] = box.x, box.y, box.columns, box.rows
        spans[number] = box.span.first, box.span.cells, box.columns, light
    usage = wgpu.BufferUsage.STORAGE
    return gfx.Geometry(
        grid=texture,
        values=values,
        boxes=gfx.Buffer(boxes, usage=usage),
        spans=gfx.Buffer(spans, usage=usage),
        **fixed,
    )


class SheetMaterial(gfx.Material):
    """Blended in the order of the scene, without options."""

    def __init__(self) -> None:
        super().__init__(
            pick_write=False, alpha_mode="blend", depth_test=False, depth_write=False, render_queue=BACKGROUND
        )


@register_wgpu_render_function(SheetCells, SheetMaterial)
class SheetShader(BaseShader):
    """Two triangles per box and the shader in wgsl/scene/sheet.wgsl."""

    type = "render"

    def get_bindings(self, wobject: SheetCells, shared: Any, scene: Any) -> dict[int, dict[int, Binding]]:
        """The standard uniforms, the textures, the boxes with their spans, and what digits need."""
        geometry, stage = wobject.geometry, wgpu.ShaderStage
        bindings = {
            0: Binding("u_stdinfo", "buffer/uniform", shared.uniform_buffer),
            1: Binding("u_wobject", "buffer/uniform", wobject.uniform_buffer),
            2: Binding("t_cells", "texture/auto", GfxTextureView(geometry.grid), stage.FRAGMENT),
            3: Binding("s_boxes", "buffer/read_only_storage", geometry.boxes, stage.VERTEX),
            4: Binding("s_spans", "buffer/read_only_storage", geometry.spans, stage.VERTEX),
            5: Binding("t_values", "texture/auto", GfxTextureView(geometry.values), stage.FRAGMENT),
            6: Binding("t_glyphs", "texture/auto", GfxTextureView(geometry.glyphs), stage.FRAGMENT),
            7: Binding("powers", "buffer/read_only_storage", geometry.powers, stage.FRAGMENT),
            8: Binding("s_style", "buffer/read_only_storage", geometry.style, stage.FRAGMENT),
            9: Binding("s_ink", "buffer/read_only_storage", geometry.ink, stage.FRAGMENT),
        }
        self.define_bindings(0, bindings)
        return {0: bindings}

    def get_pipeline_info(self, wobject: SheetCells, shared: Any) -> dict[str, Any]:
        """A list of triangles."""
        return {"primitive_topology": wgpu.PrimitiveTopology.triangle_list, "cull_mode": wgpu.CullMode.none}

    def get_render_info(self, wobject: SheetCells, shared: Any) -> dict[str, Any]:
        """All boxes, once."""
        return {"indices": (6 * wobject.geometry.boxes.nitems, 1)}

    def get_code(self) -> str:
        """The shader, which pygfx completes with the bindings."""
        return wgsl.load("scene/sheet")
