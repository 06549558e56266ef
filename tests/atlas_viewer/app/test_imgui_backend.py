"""imgui's triangles reach the canvas in their colors and at their pixels, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import wgpu
from imgui_bundle import ImVec2, imgui

from atlas_viewer.app.canvas import Gui, draw_frame, imgui_on, open_picture, release
from atlas_viewer.app.picture_canvas import PictureCanvas
from compute.gpu.device import shared_device

pytestmark = pytest.mark.gpu
_BACK = (10 / 255, 20 / 255, 30 / 255)


@pytest.fixture
def canvas() -> PictureCanvas:
    return open_picture((96, 64))


@pytest.fixture
def gui(canvas: PictureCanvas) -> Iterator[Gui]:
    made = imgui_on(canvas, shared_device())
    yield made
    release(made)


def drawn(canvas: PictureCanvas, gui: Gui, widgets: Callable[[imgui.ImDrawList], object]) -> np.ndarray:
    """The pixels of a frame with what `widgets` adds, uint8 [height, width, 3]."""

    def frame() -> None:
        draw_frame(gui, canvas, shared_device(), lambda: widgets(imgui.get_background_draw_list()), _BACK)

    canvas.request_draw(frame)
    return np.asarray(canvas.draw())[..., :3]


def test_colors_are_unchanged_and_edges_are_at_their_pixels(canvas: PictureCanvas, gui: Gui) -> None:
    color = imgui.IM_COL32(1, 100, 254, 255)
    pixels = drawn(canvas, gui, lambda shapes: shapes.add_rect_filled(ImVec2(8, 4), ImVec2(20, 12), color))
    expected = np.full((64, 96, 3), (10, 20, 30), np.uint8)
    expected[4:12, 8:20] = 1, 100, 254
    assert (pixels == expected).all()


def test_shapes_are_blended_over_each_other(canvas: PictureCanvas, gui: Gui) -> None:
    color = imgui.IM_COL32(255, 255, 255, 51)
    pixels = drawn(canvas, gui, lambda shapes: shapes.add_rect_filled(ImVec2(0, 0), ImVec2(96, 64), color))
    assert np.abs(pixels[30, 30] - np.array([59, 67, 75])).max() <= 1


def test_a_picture_has_a_texel_per_pixel(canvas: PictureCanvas, gui: Gui) -> None:
    device = shared_device()
    texels = np.random.default_rng(1).integers(0, 256, (16, 32, 4), np.uint8)
    texels[..., 3] = 255
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
    texture = device.create_texture(size=(32, 16, 1), format="rgba8unorm", usage=usage)
    device.queue.write_texture({"texture": texture}, texels, {"bytes_per_row": 128}, (32, 16, 1))
    reference = gui.backend.register_texture(texture.create_view())
    pixels = drawn(canvas, gui, lambda shapes: shapes.add_image(reference, ImVec2(40, 20), ImVec2(72, 36)))
    assert (pixels[20:36, 40:72] == texels[..., :3]).all()
    # What an area cuts off is not drawn.
    gui.backend.unregister_texture(reference)
    again = gui.backend.register_texture(texture.create_view())

    def cut(shapes: imgui.ImDrawList) -> None:
        shapes.push_clip_rect(ImVec2(-5, 24), ImVec2(60, 500))
        shapes.add_image(again, ImVec2(40, 20), ImVec2(72, 36))
        shapes.pop_clip_rect()

    pixels = drawn(canvas, gui, cut)
    assert (pixels[24:36, 40:60] == texels[4:, :20, :3]).all()
    assert (pixels[:24] == (10, 20, 30)).all()
    assert (pixels[:, 60:] == (10, 20, 30)).all()


def test_the_buffer_grows_with_the_frame(canvas: PictureCanvas, gui: Gui) -> None:
    def many(shapes: imgui.ImDrawList) -> None:
        for index in range(20_000):
            x, y = index % 96, index // 96 % 64
            color = imgui.IM_COL32(x, y, 7, 255)
            shapes.add_rect_filled(ImVec2(x, y), ImVec2(x + 1, y + 1), color)

    pixels = drawn(canvas, gui, many)
    assert (pixels[..., 0] == np.arange(96)).all()
    assert (pixels[..., 1] == np.arange(64)[:, None]).all()


def test_new_glyphs_leave_earlier_ones_as_they_were(canvas: PictureCanvas, gui: Gui) -> None:
    def text(shapes: imgui.ImDrawList, size: float, words: str) -> None:
        shapes.add_text(imgui.get_font(), size, ImVec2(2, 2), imgui.IM_COL32(255, 255, 255, 255), words)

    before = drawn(canvas, gui, lambda shapes: text(shapes, 13, "abc"))
    assert before.max() > 200

    def letters(size: float) -> Callable[[imgui.ImDrawList], None]:
        return lambda shapes: text(shapes, size, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP")

    for size in range(14, 60):  # enough for a larger texture
        drawn(canvas, gui, letters(size))
    assert (drawn(canvas, gui, lambda shapes: text(shapes, 13, "abc")) == before).all()
