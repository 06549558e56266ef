"""Pictures of the window: imgui's latest frame is drawn into a separate texture and read back without waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wgpu
from imgui_bundle import imgui

from atlas_viewer.media.png import png
from atlas_viewer.state.state import State
from compute.errors import OutputError
from compute.gpu.async_readback import AsyncReadback
from compute.io.output_files import free_name, write_new_output, write_output

from .canvas import Gui

_ROW = 256  # bytes; WebGPU aligns a copied texture's rows to multiples of this


class FrameReadback:
    """Reads back the frame in which it is created; `take` returns it a few frames later."""

    def __init__(self, gui: Gui, device: wgpu.GPUDevice, target: str, back: tuple[float, float, float]) -> None:
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


@dataclass(frozen=True)
class _Picture:
    """A picture on its way to a file: `path`, or a new name if that is empty. `shown`: report where it is saved."""

    path: str
    shown: bool


class Pictures:
    """Saves requested pictures of the window as PNG files."""

    def __init__(self, gui: Gui, device: wgpu.GPUDevice, target: str, state: State) -> None:
        """state: shows where a picture was saved, and errors."""
        self._gui, self._device, self._target, self._state = gui, device, target, state
        self._requested: list[_Picture] = []
        self._in_flight: list[tuple[_Picture, FrameReadback]] = []

    @property
    def pending(self) -> bool:
        """True while a picture needs more frames to be drawn."""
        return bool(self._requested or self._in_flight)

    def request(self, path: str) -> None:
        """Save a picture of the next frame as `path`, which is replaced if it exists."""
        self._requested.append(_Picture(path, False))

    def save(self, path: str) -> None:
        """Save a picture of the next frame, and show where. An empty `path` stands for a name that is not in use."""
        self._state.ui.saved = ""  # the message about the previous picture is not part of the next one
        self._requested.append(_Picture(path, True))

    def frame(self, back: tuple[float, float, float]) -> None:
        """After a frame has been drawn, start the requested readbacks and save those that have arrived.

        back: the background, as in `FrameReadback`.
        """
        for wanted in self._requested:
            self._in_flight.append((wanted, FrameReadback(self._gui, self._device, self._target, back)))
        self._requested.clear()
        waiting = []
        for wanted, picture in self._in_flight:
            pixels = picture.take()
            if pixels is None:
                waiting.append((wanted, picture))
                continue
            try:
                path = _write(wanted.path, png(pixels))
            except OutputError as error:
                self._state.messages.append(str(error))
                continue
            if wanted.shown:
                self._state.ui.saved, self._state.ui.saved_at = str(path.absolute()), time.monotonic()
        self._in_flight = waiting


def _new_name() -> Path:
    """Today's next unused name in the current folder, such as atlas-viewer-2026-11-28-1.png."""
    return Path(free_name(f"atlas-viewer-{time.strftime('%Y-%m-%d')}", ".png"))


def _write(path: str, data: bytes) -> Path:
    """Write `data` to `path`, or under a new name if that is empty; return the file's path. Raises `OutputError`."""
    if path:
        write_output(path, data)
        return Path(path)
    names = [_new_name()]

    def another() -> Path:  # another program has taken the name in the meantime
        names.append(_new_name())
        return names[-1]

    write_new_output(names[0], data, another)
    return names[-1]
