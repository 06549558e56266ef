"""Canvases to draw on: a window or a picture in memory. Other files do not distinguish between them."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import wgpu
from imgui_bundle import ImVec2, imgui
from rendercanvas.base import BaseRenderCanvas

from compute.errors import DisplayError
from compute.io.escape import one_line

from .imgui_backend import ImguiBackend
from .interrupts import closing
from .picture_canvas import OwnCanvas, PictureCanvas
from .x11 import LostDisplay

_FIX = "set DISPLAY to a running X server, or use `atlas-viewer render`"
# An upper limit: frames are drawn on request.
_MAX_FPS = 60
EventLoop = Callable[[Callable[[], object]], None]


def window_title(shown: str) -> str:
    """The window's title while it shows the model or recording named `shown`."""
    return one_line(f"Tensor Atlas - {shown}")


def open_window(shown: str, size: tuple[int, int], *, vsync: bool) -> tuple[BaseRenderCanvas, EventLoop]:
    """A window of `size` logical pixels, and the function that runs its event loop until the window is closed.

    shown: the name of the model or recording that the window shows.

    That function accepts a callback that saves what must not be lost; it is called if the display disappears, before
    the process ends.

    Raises `DisplayError` if there is no usable display.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise DisplayError(f"no display: DISPLAY and WAYLAND_DISPLAY are not set; {_FIX}")
    import glfw  # here, because the import alone searches for the windowing libraries

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the error below reports the same problem
        usable = glfw.init()
    if not usable:
        name = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY", "")
        raise DisplayError(f"display {name!r}: no window can be opened there; {_FIX}")
    from rendercanvas.glfw import loop

    from .window_canvas import WindowCanvas

    canvas = WindowCanvas(size=size, title=window_title(shown), update_mode="ondemand", max_fps=_MAX_FPS, vsync=vsync)

    if glfw.get_platform() == glfw.PLATFORM_X11:
        library: Any = glfw  # its stubs are incomplete
        canvas.watch(LostDisplay(library.get_x11_display()))

    def run(rescue: Callable[[], object]) -> None:
        if canvas.lost is not None:
            canvas.lost.rescue_with(rescue)
        # The event loop's own handler would close the window wherever the signal happens to interrupt it. The loop
        # installs that handler when it starts, so the loop's first task installs ours after it.
        with closing(lambda: loop.call_soon_threadsafe(canvas.close)) as begin:
            loop.call_soon(begin)
            loop.run()

    return canvas, run


def open_picture(size: tuple[int, int]) -> PictureCanvas:
    """A canvas of `size` pixels in memory; its `draw()` returns uint8 [height, width, 4]."""
    return PictureCanvas(size=size, pixel_ratio=1.0)


class Gui:
    """An imgui context and what draws its frames on a canvas."""

    def __init__(self, device: wgpu.GPUDevice, texture_format: str) -> None:
        """The new context becomes the current one."""
        self.imgui_context = imgui.create_context()
        imgui.set_current_context(self.imgui_context)
        self.backend = ImguiBackend(device, texture_format)


def imgui_on(canvas: BaseRenderCanvas, device: wgpu.GPUDevice) -> Gui:
    """imgui on `canvas`; its context becomes the current one. Colors reach the canvas unchanged.

    Limits the canvas to the largest size that the device can draw.
    """
    if isinstance(canvas, OwnCanvas):
        canvas.limit_to(device.limits["max-texture-dimension-2d"])
    texture_format = target_format(canvas, device)
    canvas.get_wgpu_context().configure(device=device, format=texture_format)
    return Gui(device, texture_format)


def draw_frame(
    gui: Gui,
    canvas: BaseRenderCanvas,
    device: wgpu.GPUDevice,
    widgets: Callable[[], object],
    color: tuple[float, float, float],
) -> None:
    """Draw a frame of `gui`: fill the canvas with `color` and draw what `widgets` builds, which may end imgui's frame.

    Filling costs almost nothing, whereas imgui would blend its background pixel by pixel, which took a third of each
    frame on a software adapter. Filling and drawing are one render pass, because every pass over the whole window
    costs a millisecond there.
    """
    if isinstance(canvas, OwnCanvas):
        canvas.check()
    imgui.set_current_context(gui.imgui_context)
    io = imgui.get_io()
    context = canvas.get_wgpu_context()
    io.display_framebuffer_scale = ImVec2(context.pixel_ratio, context.pixel_ratio)
    io.display_size = ImVec2(*context.logical_size)
    target = context.get_current_texture().create_view()
    imgui.new_frame()
    try:
        widgets()
    finally:
        imgui.render()  # without effect if the frame has ended
    data = imgui.get_draw_data()
    encoder = device.create_command_encoder()
    fill: dict[str, Any] = {"view": target, "clear_value": (*color, 1.0), "load_op": "clear", "store_op": "store"}
    drawing = encoder.begin_render_pass(color_attachments=[fill])
    gui.backend.render(data, drawing)
    drawing.end()
    device.queue.submit([encoder.finish()])


def release(gui: Gui) -> None:
    """Destroy the context, including the fonts, of a renderer that no longer draws."""
    # The garbage collector may close a forgotten canvas in the middle of another canvas's frame.
    current, own = imgui.get_current_context(), gui.imgui_context
    imgui.destroy_context(own)
    if current is not None and current is not own:
        imgui.set_current_context(current)


def target_format(canvas: BaseRenderCanvas, device: wgpu.GPUDevice) -> str:
    """The texture format that imgui draws into."""
    # For sRGB formats the backend converts with a power law, which is not the exact inverse of the sRGB curve.
    preferred: str = canvas.get_wgpu_context().get_preferred_format(device.adapter)
    return preferred.removesuffix("-srgb")


def call_later(seconds: float, function: Callable[[], object]) -> None:
    """Call `function` once from the event loop after `seconds`. Needs an open window."""
    from rendercanvas.glfw import loop

    loop.call_later(seconds, function)


def take_drops(canvas: BaseRenderCanvas, take: Callable[[list[str]], object]) -> None:
    """Call `take` with the paths of files that are dropped on `canvas`, if it is a window."""
    from .window_canvas import WindowCanvas

    if isinstance(canvas, WindowCanvas):
        canvas.take_drops(take)


def share_clipboard() -> None:
    """Connect imgui's copy and paste to the desktop's clipboard. Needs an open window."""
    import glfw

    # The stubs require a window, which is optional, and do not declare that bytes are returned.
    library: Any = glfw

    def read(_context: Any) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # glfw warns about an empty clipboard
            data: bytes | None = library.get_clipboard_string(None)
        return data.decode("utf-8", "replace") if data else ""

    def write(_context: Any, text: str) -> None:
        library.set_clipboard_string(None, text)

    platform = imgui.get_platform_io()
    platform.platform_get_clipboard_text_fn = read
    platform.platform_set_clipboard_text_fn = write
