"""Pictures of what imgui drew last: into a texture of our own, fetched without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import wgpu
from imgui_bundle import imgui
from wgpu.utils.imgui import ImguiRenderer

from atlas_viewer.media.png import png
from compute.errors import OutputError
from compute.gpu.wgpu_native import Readback, poll
from compute.io.output_files import write_output

_ROW = 256  # bytes: rows of a copy begin at multiples of this


class FrameReadback:
    """The window's content of the frame in which it is made; `take` has it a few frames later."""

    def __init__(
        self, gui: ImguiRenderer, device: wgpu.GPUDevice, target: str, back: tuple[float, float, float]
    ) -> None:
        """target: the format that `gui` draws in; back: red, green, blue of what nothing is drawn on. Does not wait."""
        io = imgui.get_io()
        scale = io.display_framebuffer_scale
        self.width = max(round(io.display_size.x * scale.x), 1)
        self.height = max(round(io.display_size.y * scale.y), 1)
        self._device = device
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
        self._readback = Readback(device, self._stride * self.height, "window picture")
        encoder.copy_texture_to_buffer(
            {"texture": texture},
            {"buffer": self._readback.buffer, "bytes_per_row": self._stride, "rows_per_image": self.height},
            size,
        )
        device.queue.submit([encoder.finish()])
        self._readback.request()

    @property
    def order(self) -> str:
        """The channels of `take_raw`: "rgba" or "bgra"."""
        return self._format[:4]

    def take_raw(self) -> np.ndarray | None:
        """uint8 [height, width, 4] as the GPU wrote it, once it has arrived; what costs time is left to the caller."""
        poll(self._device)
        if not self._readback.ready:
            return None
        rows = np.frombuffer(self._readback.read(), np.uint8).reshape(self.height, self._stride)
        return rows[:, : 4 * self.width].reshape(self.height, self.width, 4)

    def take(self) -> np.ndarray | None:
        """uint8 [height, width, 4], red first, opaque, once it has arrived."""
        pixels = self.take_raw()
        if pixels is None:
            return None
        pixels = pixels[..., [2, 1, 0, 3]] if self.order == "bgra" else pixels.copy()
        pixels[..., 3] = 255
        return pixels


class Pictures:
    """Pictures that are wanted and those on their way; each becomes a PNG file."""

    def __init__(self, gui: ImguiRenderer, device: wgpu.GPUDevice, target: str) -> None:
        self._gui, self._device, self._target = gui, device, target
        self._wanted: list[str] = []
        self._on_their_way: list[tuple[str, FrameReadback]] = []

    @property
    def pending(self) -> bool:
        """True while frames have to go on for a picture."""
        return bool(self._wanted or self._on_their_way)

    def want(self, path: str) -> None:
        """A picture of the next frame is to be saved as `path`."""
        self._wanted.append(path)

    def frame(self, back: tuple[float, float, float], say: Callable[[str], None]) -> None:
        """A frame has been drawn: begin what is wanted, save what has arrived. `say` is told of failures."""
        for path in self._wanted:
            self._on_their_way.append((path, FrameReadback(self._gui, self._device, self._target, back)))
        self._wanted.clear()
        waiting = []
        for path, picture in self._on_their_way:
            pixels = picture.take()
            if pixels is None:
                waiting.append((path, picture))
                continue
            try:
                write_output(path, png(pixels))
            except OutputError as error:
                say(str(error))
        self._on_their_way = waiting
