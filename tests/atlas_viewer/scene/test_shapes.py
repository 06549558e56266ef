"""Shapes over and in the gaps of a picture, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu

from atlas_viewer.scene.atlas_scene import AtlasScene
from atlas_viewer.scene.shape_list import ShapeList
from atlas_viewer.state.camera import View

SIZE = 64
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
EDGE = 16  # columns and rows of the picture that are a gap


@pytest.fixture(scope="module")
def scene(device: wgpu.GPUDevice) -> AtlasScene:
    """Map shows a gray picture of 64 x 64 pixels over 640 x 640 cells, with a gap at the left and at the top."""
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
    texture = device.create_texture(size=(SIZE, SIZE, 1), format="rgba8unorm", usage=usage)
    rgba = np.full((SIZE, SIZE, 4), 100, np.uint8)
    rgba[..., 3] = 255
    rgba[:EDGE, :, 3] = rgba[:, :EDGE, 3] = 0
    layout = {"bytes_per_row": 4 * SIZE, "rows_per_image": SIZE}
    device.queue.write_texture({"texture": texture}, rgba, layout, (SIZE, SIZE, 1))
    made = AtlasScene(device)
    made.map.show(texture, View(0, 0, 640, 640))
    return made


def picture(scene: AtlasScene, front: ShapeList | None = None, behind: ShapeList | None = None) -> np.ndarray:
    scene.map.front.set(*(front or ShapeList()).arrays())
    scene.map.behind.set(*(behind or ShapeList()).arrays())
    scene.map.draw(View(0, 0, 640, 640), SIZE, SIZE)
    return scene.map.pixels()[..., :3]


def boxes(*values: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.gpu
def test_without_shapes_the_picture_is_unchanged(scene: AtlasScene) -> None:
    assert np.abs(picture(scene).astype(int) - 100).max() <= 1


@pytest.mark.gpu
def test_shapes_behind_show_in_gaps_only(scene: AtlasScene) -> None:
    shapes = ShapeList()
    shapes.boxes(boxes((0, 0, 640, 320)), RED, 1.0)
    found = picture(scene, behind=shapes)
    red = (found == (255, 0, 0)).all(axis=2)
    wanted = np.zeros_like(red)
    wanted[:EDGE] = wanted[:32, :EDGE] = True
    assert np.array_equal(red, wanted)


@pytest.mark.gpu
@pytest.mark.parametrize("width", [1, 3])
def test_an_outline_is_outside_of_its_box_and_as_wide_as_requested(scene: AtlasScene, width: int) -> None:
    shapes = ShapeList()
    shapes.outlines(boxes((200, 300, 100, 50)), width, GREEN, 1.0)
    found = (picture(scene, front=shapes) == (0, 255, 0)).all(axis=2)
    wanted = np.zeros_like(found)
    wanted[30 - width : 35 + width, 20 - width : 30 + width] = True
    wanted[30:35, 20:30] = False
    assert np.array_equal(found, wanted)


@pytest.mark.gpu
def test_a_box_that_is_too_small_gets_an_outline_of_the_least_size(scene: AtlasScene) -> None:
    shapes = ShapeList()
    shapes.outlines(boxes((200, 300, 10, 10)), 1, GREEN, 1.0, least=8)
    rows, columns = np.nonzero((picture(scene, front=shapes) == (0, 255, 0)).all(axis=2))
    assert np.ptp(rows) == np.ptp(columns) == 9
    assert abs(rows.mean() - 30) < 1
    assert abs(columns.mean() - 20) < 1


@pytest.mark.gpu
def test_boxes_on_screen_do_not_move_with_the_view(scene: AtlasScene) -> None:
    view = View(300, 200, 64, 64)
    shapes = ShapeList()
    shapes.on_screen([(view.x, view.y)], [(5, 7, 10, 3)], RED, 1.0)
    scene.map.front.set(*shapes.arrays())
    scene.map.behind.set(*ShapeList().arrays())
    scene.map.draw(view, SIZE, SIZE)
    red = (scene.map.pixels()[..., :3] == (255, 0, 0)).all(axis=2)
    assert red[7:10, 5:15].all()
    assert red.sum() == 30


@pytest.mark.gpu
def test_more_shapes_than_before_and_fewer_again(scene: AtlasScene) -> None:
    many, one = ShapeList(), ShapeList()
    many.boxes(boxes(*((10 * i, 10 * j, 10, 10) for i in range(64) for j in range(64))), RED, 1.0)
    assert (picture(scene, front=many) == (255, 0, 0)).all()
    one.boxes(boxes((0, 0, 10, 10)), GREEN, 1.0)
    found = picture(scene, front=one)
    assert tuple(found[0, 0]) == (0, 255, 0)
    assert np.abs(found.astype(int) - 100)[1:].max() <= 1


def test_a_polygon_is_a_fan_of_triangles() -> None:
    shapes = ShapeList()
    shapes.polygon([(0, 0), (4, 0), (4, 2), (0, 2)], RED, 0.5)
    corners, colors = shapes.arrays()
    assert corners[:, :2].tolist() == [[0, 0], [4, 0], [4, 2], [0, 0], [4, 2], [0, 2]]
    assert (colors == (*RED, 0.5)).all()
