"""A picture on a plane of the scene, with shapes and objects in front of it, seen through its own camera."""

from __future__ import annotations

import numpy as np
import pygfx as gfx
import wgpu

from atlas_viewer.state.camera import View

from .cells import Cells
from .shapes import Shapes
from .shared_texture import adopt
from .view_renderer import ViewRenderer


class PlaneView(gfx.Group):
    """A picture on a plane, with shapes in front of it, and shapes in its gaps.

    `objects` is for anything else that pygfx can draw. It lies in front of the picture, in the plane's coordinates:
    x to the right, y down, for Map in cells.
    """

    def __init__(self, device: wgpu.GPUDevice, name: str) -> None:
        super().__init__(name=name)
        self._renderer = ViewRenderer(device, name)
        self._shown: wgpu.GPUTexture | None = None
        self.front, self.objects = Shapes(), gfx.Group()
        self._picture: Cells | None = None
        self._behind: Shapes | None = None

    def show(self, texture: wgpu.GPUTexture, view: View | None = None) -> None:
        """Show `texture` (rgba8unorm) over the rectangle `view` of the plane, by default one unit per texel."""
        if self._picture is None or self._behind is None:
            adopted = adopt(texture, "srgb")
            self._picture, self._behind = Cells(adopted), Shapes(adopted)
            for order, part in enumerate((self._picture, self._behind, self.front, self.objects)):
                part.render_order = order
                self.add(part)
        elif texture is not self._shown:
            adopted = adopt(texture, "srgb")
            self._picture.show(adopted)
            self._behind.mask(adopted)
        self._shown = texture
        if view is not None:
            self._picture.local.position = (view.x, view.y, 0)
            self._picture.local.scale = (view.width / texture.width, view.height / texture.height, 1)

    @property
    def behind(self) -> Shapes:
        """Shapes that show only where the picture's alpha is 0. The picture must have a texel per pixel."""
        assert self._behind is not None
        return self._behind

    def draw(self, view: View, width: int, height: int) -> wgpu.GPUTexture:
        """Draw the rectangle `view` of the plane at width x height pixels and return the picture.

        The texture (rgba8unorm) is replaced when the size changes. Submits the work and does not wait.
        """
        scene = self.parent
        assert isinstance(scene, gfx.Scene)
        for other in scene.children:
            other.visible = other is self
        return self._renderer.draw(scene, view, width, height, depth=bool(self.objects.children))

    def pixels(self) -> np.ndarray:
        """The latest picture, uint8 [height, width, 4]. Waits for the GPU."""
        return self._renderer.pixels()
