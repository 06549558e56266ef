"""The sheet of Strip in the scene: bands, boxes of cells, and frames in the colors of roles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import wgpu

from atlas_viewer.state.camera import View
from atlas_viewer.state.roles import Role, role_color, role_of_kind
from compute.views.palettes import CANVASES, Rgb
from compute.views.strip_sheet import StripSheet

from .plane_view import PlaneView
from .shape_list import ShapeList
from .shapes import Shapes
from .shared_texture import adopt
from .sheet_cells import SheetCells

_BAND: dict[str, Rgb] = {"dark": (0.052, 0.064, 0.09), "light": (0.84, 0.85, 0.88)}


class SheetView(PlaneView):
    """The sheet, one unit per cell."""

    def __init__(self, device: wgpu.GPUDevice, name: str) -> None:
        super().__init__(device, name)
        self._ground = Shapes()
        self._cells: SheetCells | None = None
        self._now: tuple[wgpu.GPUTexture, StripSheet, str] | None = None
        self.digits = True  # whether large cells show their values

    def show_sheet(self, texture: wgpu.GPUTexture, values: wgpu.GPUTexture, sheet: StripSheet, theme: str) -> None:
        """Show the cells of `texture` and `values`, as `StripPass` paints them, arranged in `sheet`.

        theme: "dark" or "light".
        """
        now = (texture, sheet, theme)
        if self._now == now:
            return
        self._now = now
        adopted, numbers = adopt(texture, "srgb"), adopt(values, "physical")
        if self._cells is None:
            self._cells = SheetCells(adopted, numbers)
            for order, part in enumerate((self._ground, self._cells, self.front, self.objects)):
                part.render_order = order
                self.add(part)
        self._cells.show(adopted, numbers, sheet, light=theme == "light")
        ground, frames = ShapeList(), ShapeList()
        theme = "light" if theme == "light" else "dark"
        canvas = CANVASES[theme]
        ground.boxes(_boxes([(-9e3, -9e3, 2e4, 2e4)]), canvas.ground, 1.0)
        bands = [(-9e3, band.y - 1, 2e4, band.height + 3) for band in sheet.bands]
        ground.boxes(_boxes(bands), _BAND[theme], 1.0)
        for role in Role:
            framed = [
                (box.x, box.y, box.columns, box.rows) for box in sheet.boxes if role_of_kind(box.span.kind) is role
            ]
            frames.outlines(_boxes(framed), 1.0, role_color(role, theme), 1.0)
        self._ground.set(*ground.arrays())
        self.front.set(*frames.arrays())

    def draw(self, view: View, width: int, height: int) -> wgpu.GPUTexture:
        """Draw as `PlaneView` does, with digits in cells that are large enough."""
        if self._cells is not None:
            self._cells.scale(width / view.width if self.digits else 0.0)
        return super().draw(view, width, height)


def _boxes(boxes: Sequence[tuple[float, float, float, float]]) -> np.ndarray:
    return np.array(boxes, np.float64).reshape(-1, 4)
