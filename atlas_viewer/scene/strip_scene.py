"""The strip as a pygfx scene, drawn into a texture that has exactly as many pixels as its picture on screen."""

from __future__ import annotations

import numpy as np
import pygfx as gfx
import wgpu

from atlas_viewer.state.camera import View

from .cells import Cells
from .shared_texture import adopt

_TARGET_STEP = 512  # pixels; the target's sides are multiples of this


class StripScene:
    """Draws the strip's cells with nearest-neighbor sampling and unchanged colors. Large cells whose values are not
    finite get a pattern.

    `texture` (rgba8unorm) contains the latest picture. It is replaced when the size changes.
    """

    def __init__(self, cells: wgpu.GPUTexture, device: wgpu.GPUDevice) -> None:
        """cells: rgba8unorm texture, one texel per cell, on the device that pygfx uses, with TEXTURE_BINDING."""
        self._device = device
        self._scene = gfx.Scene()
        self._scene.add(Cells(adopt(cells, "srgb")))
        self._camera = gfx.OrthographicCamera(maintain_aspect=False)
        self._camera.local.scale_y = -1  # y points down
        self._size = (0, 0)
        self._renderer: gfx.WgpuRenderer | None = None
        self._target: wgpu.GPUTexture | None = None
        self.texture: wgpu.GPUTexture | None = None

    def draw(self, view: View, width: int, height: int) -> wgpu.GPUTexture:
        """Draw `view` at width x height pixels and return `texture`. Submits the work and does not wait."""
        if (width, height) != self._size:
            self._resize(width, height)
        assert self._renderer is not None
        assert self._target is not None
        assert self.texture is not None
        self._camera.width, self._camera.height = view.width, view.height
        self._camera.local.position = (view.x + view.width / 2, view.y + view.height / 2, 0)
        self._renderer.render(self._scene, self._camera, rect=(0, 0, width, height))
        encoder = self._device.create_command_encoder()
        encoder.copy_texture_to_texture({"texture": self._target}, {"texture": self.texture}, (width, height, 1))
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
        # pygfx draws in linear light. Decoding on input and encoding into an sRGB target yields the original bytes.
        # Copying them to a format without sRGB makes samplers return those bytes without another conversion.
        usage = wgpu.TextureUsage
        self.texture = self._device.create_texture(
            label="strip picture",
            size=(width, height, 1),
            format=wgpu.TextureFormat.rgba8unorm,
            usage=usage.TEXTURE_BINDING | usage.COPY_SRC | usage.COPY_DST,
        )
        self._size = (width, height)
        known = (self._target.width, self._target.height) if self._target is not None else (0, 0)
        if width <= known[0] and height <= known[1]:
            return
        # A target texture belongs to one renderer, and pygfx keeps every renderer's pipelines. With large steps,
        # dragging a window larger creates only a few of them.
        sides = [
            max(-(-side // _TARGET_STEP) * _TARGET_STEP, old) for side, old in zip((width, height), known, strict=True)
        ]
        self._target = self._device.create_texture(
            label="strip scene",
            size=(*sides, 1),
            format=wgpu.TextureFormat.rgba8unorm_srgb,
            usage=usage.RENDER_ATTACHMENT | usage.TEXTURE_BINDING | usage.COPY_SRC,
        )
        self._renderer = gfx.WgpuRenderer(
            adopt(self._target, "physical"), pixel_scale=1, pixel_filter="nearest", ppaa="none", enable_events=False
        )
