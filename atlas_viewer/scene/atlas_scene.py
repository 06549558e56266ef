"""The pygfx scene: Strip, its sheet and Map as groups of world objects, each seen through its own camera."""

from __future__ import annotations

import pygfx as gfx
import wgpu

from .plane_view import PlaneView
from .sheet_view import SheetView


class AtlasScene(gfx.Scene):
    """The whole scene: `strip`, the same cells as the window arranges them in `sheet`, and `map`."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        """device: the device that pygfx uses."""
        super().__init__()
        self.strip, self.map = PlaneView(device, "strip"), PlaneView(device, "map")
        self.sheet = SheetView(device, "sheet")
        self.add(self.strip, self.map, self.sheet)
