"""The scene that shows the strip: unchanged colors, and patterns in large cells that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu

from atlas_viewer.scene.atlas_scene import AtlasScene
from atlas_viewer.state.camera import View

pytestmark = pytest.mark.gpu

NAN, PLUS, MINUS = 254, 253, 252


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Random colors, uint8 [360, 640, 4]; the top left cells are not finite."""
    rgba = np.random.default_rng(0).integers(40, 256, (360, 640, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    rgba[0, :4, 3] = NAN, PLUS, MINUS, 255
    return rgba


@pytest.fixture(scope="module")
def scene(device: wgpu.GPUDevice, cells: np.ndarray) -> AtlasScene:
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
    texture = device.create_texture(size=(640, 360, 1), format="rgba8unorm", usage=usage)
    layout = {"bytes_per_row": 640 * 4, "rows_per_image": 360}
    device.queue.write_texture({"texture": texture}, cells.tobytes(), layout, (640, 360, 1))
    scene = AtlasScene(device)
    scene.strip.show(texture)
    return scene


def drawn(scene: AtlasScene, view: View, width: int, height: int) -> np.ndarray:
    scene.strip.draw(view, width, height)
    return scene.strip.pixels()


def test_cells_keep_their_colors(scene: AtlasScene, cells: np.ndarray) -> None:
    picture = drawn(scene, View(0, 0, 640, 360), 640, 360)
    assert np.abs(picture[..., :3].astype(int) - cells[..., :3]).max() <= 1
    assert (picture[..., 3] == 255).all()
    # Zoomed: cell x, y covers 4 x 4 pixels, too few for a pattern.
    picture = drawn(scene, View(0, 0, 160, 90), 640, 360)
    wanted = cells[:90, :160, :3].repeat(4, axis=0).repeat(4, axis=1)
    assert np.abs(picture[..., :3].astype(int) - wanted).max() <= 1


def test_large_cells_that_are_not_finite_have_patterns(scene: AtlasScene, cells: np.ndarray) -> None:
    side = 40
    picture = drawn(scene, View(0, 0, 16, 9), 16 * side, 9 * side)
    ink = (picture[..., :3] == 0).all(axis=2)

    def cell(x: int) -> np.ndarray:
        return np.asarray(ink[:side, x * side : (x + 1) * side])

    middle = slice(side // 2 - 2, side // 2 + 2)
    cross, plus, minus = cell(0), cell(1), cell(2)
    assert cross[middle, middle].all()
    assert np.array_equal(cross, cross.T)
    assert cross[10, 10]
    assert not cross[side // 2, 8]
    assert plus[middle, 8].all()
    assert plus[8, middle].all()
    assert minus[middle, 8].all()
    assert not minus[8].any()
    assert not ink[:, 3 * side :].any()
    assert not ink[side:].any()
    assert not ink[0].any()  # the rim keeps the color
