"""Pictures of the window: imgui's latest frame is drawn into a separate texture and read back without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import wgpu
from imgui_bundle import imgui
from wgpu.utils.imgui import ImguiRenderer

from atlas_viewer.media.png import png
from compute.errors import OutputError
from compute.gpu.async_readback import AsyncReadback
from compute.io.output_files import write_output

_ROW = 256  # bytes; WebGPU aligns a copied texture's rows to multiples of this


class FrameReadback:
    """Reads back the frame in which it is created; `take` returns it a few frames later."""

    def __init__(
        self, gui: ImguiRenderer, device: wgpu.GPUDevice, target: str, back: tuple[float, float, float]
    ) -> None:
        """target: the texture format that `gui` draws to; back: red, green, blue of the background. Does not wait."""
        io = imgui.get_io()
        scale = io.display_framebuffer_scale
        self.width = max(round(io.display_size.x * scale.x), 1)
        self.height = max(round(io.display_size.y * scale.y), 1)
        self._format = target
        usage = wgpu.TextureUsage.RENDER_ATTACHMENT | wgpu.TextureUsage.COPY_SRC
        size = (self.width, self.height, 1)
        texture = device.create_texture(label="window picture", size=size, format=self._format, usage=usage)
        encoder = device.create_command_encoder()
        fill: dict[str, Any] = {
            "view": texture.create_view(), "clear_value": (*back, 1.0), "load_op": "clear", "store_op": "store",
        }  # fmt: skip
        render_pass = encoder.begin_render_pass(color_attachments=[fill])
        gui.backend.render(imgui.get_draw_data(), render_pass)
        render_pass.end()
        self._stride = -(-4 * self.width // _ROW) * _ROW

        def copy(staging: wgpu.GPUBuffer) -> None:
            layout = {"buffer": staging, "bytes_per_row": self._stride, "rows_per_image": self.height}
            encoder.copy_texture_to_buffer({"texture": texture}, layout, size)
            device.queue.submit([encoder.finish()])

        self._readback: AsyncReadback[np.ndarray] = AsyncReadback(device, "window picture")
        self._readback.request_copy(copy, self._stride * self.height, self._pixels)

    @property
    def order(self) -> str:
        """Channel order of `take_raw`: "rgba" or "bgra"."""
        return self._format[:4]

    def take_raw(self) -> np.ndarray | None:
        """uint8 [height, width, 4] with channels in `order`, once it has arrived; an unconverted view."""
        return self._readback.take()

    def take(self) -> np.ndarray | None:
        """uint8 [height, width, 4], RGBA, opaque, once it has arrived."""
        pixels = self.take_raw()
        if pixels is None:
            return None
        pixels = pixels[..., [2, 1, 0, 3]] if self.order == "bgra" else pixels.copy()
        pixels[..., 3] = 255
        return pixels

    def _pixels(self, data: bytes) -> np.ndarray:
        rows = np.frombuffer(data, np.uint8).reshape(self.height, self._stride)
        return rows[:, : 4 * self.width].reshape(self.height, self.width, 4)


class Pictures:
    """Saves requested pictures of the window as PNG files."""

    def __init__(self, gui: ImguiRenderer, device: wgpu.GPUDevice, target: str) -> None:
        self._gui, self._device, self._target = gui, device, target
        self._requested: list[str] = []
        self._in_flight: list[tuple[str, FrameReadback]] = []

    @property
    def pending(self) -> bool:
        """True while a picture needs more frames to be drawn."""
        return bool(self._requested or self._in_flight)

    def request(self, path: str) -> None:
        """Save a picture of the next frame as `path`."""
        self._requested.append(path)

    def frame(self, back: tuple[float, float, float], report: Callable[[str], None]) -> None:
        """After a frame has been drawn, start the requested readbacks and save those that have arrived.

        back: the background, as in `FrameReadback`; report: receives error messages.
        """
        for path in self._requested:
            self._in_flight.append((path, FrameReadback(self._gui, self._device, self._target, back)))
        self._requested.clear()
        waiting = []
        for path, picture in self._in_flight:
            pixels = picture.take()
            if pixels is None:
                waiting.append((path, picture))
                continue
            try:
                write_output(path, png(pixels))
            except OutputError as error:
                report(str(error))
        self._in_flight = waiting
