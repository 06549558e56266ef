"""Draws part of the scene through a camera into a texture that has exactly as many pixels as its picture on screen."""

from __future__ import annotations

import numpy as np
import pygfx as gfx
import wgpu

from atlas_viewer.state.camera import View

from .shared_texture import drawn_color, measure_depth, picture_renderer, resize


class ViewRenderer:
    """Draws objects with unchanged colors, x to the right and y down, one picture pixel per pixel on screen.

    `texture` (rgba8unorm) contains the latest picture. It is replaced when the size changes.
    """

    def __init__(self, device: wgpu.GPUDevice, label: str) -> None:
        """device: the device that pygfx uses."""
        self._device, self._label = device, label
        self._camera = gfx.OrthographicCamera(maintain_aspect=False)
        self._camera.local.scale_y = -1  # y points down
        self._size, self._depth = (0, 0), False
        self._renderer: gfx.WgpuRenderer | None = None
        self.texture: wgpu.GPUTexture | None = None

    def draw(self, scene: gfx.Scene, view: View, width: int, height: int, *, depth: bool = False) -> wgpu.GPUTexture:
        """Draw `view` at width x height pixels and return `texture`. Submits the work and does not wait.

        depth: whether objects hide each other by their depth; otherwise the one drawn last is in front.
        """
        if (width, height) != self._size:
            self._resize(width, height)
        assert self._renderer is not None
        assert self.texture is not None
        if depth is not self._depth:
            measure_depth(self._renderer, wanted=depth)
            self._depth = depth
        self._camera.width, self._camera.height = view.width, view.height
        self._camera.local.position = (view.x + view.width / 2, view.y + view.height / 2, 0)
        # Without the flush, which would copy the whole target twice by drawing.
        self._renderer.render(scene, self._camera, rect=(0, 0, width, height), clear=True, flush=False)
        encoder = self._device.create_command_encoder()
        source = {"texture": drawn_color(self._renderer)}
        encoder.copy_texture_to_texture(source, {"texture": self.texture}, (width, height, 1))
        self._device.queue.submit([encoder.finish()])
        return self.texture

    def pixels(self) -> np.ndarray:
        """The latest picture, uint8 [height, width, 4]. Waits for the GPU."""
        assert self.texture is not None
        width, height = self._size
        layout = {"bytes_per_row": 4 * width, "rows_per_image": height}
        data = self._device.queue.read_texture({"texture": self.texture}, layout, (width, height, 1))
        return np.frombuffer(data, np.uint8).reshape(height, width, 4)

    def _resize(self, width: int, height: int) -> None:
        # pygfx draws in linear light and encodes into an sRGB texture, which yields the original bytes. Copying them to
        # a format without sRGB makes samplers return those bytes without another conversion.
        usage = wgpu.TextureUsage
        self.texture = self._device.create_texture(
            label=f"{self._label} picture",
            size=(width, height, 1),
            format=wgpu.TextureFormat.rgba8unorm,
            usage=usage.TEXTURE_BINDING | usage.COPY_SRC | usage.COPY_DST,
        )
        self._size = (width, height)
        if self._renderer is None:
            self._renderer = picture_renderer()
        resize(self._renderer, width, height)
