"""The strip's view: its camera agrees with the recorded one, and its labels cover neither cells nor each other."""

from __future__ import annotations

import itertools

import pytest

from atlas_viewer.state.camera import StripCamera, View
from atlas_viewer.state.strip_labels import Letters, strip_labels
from atlas_viewer.state.strip_view import StripView
from compute.views.strip_sheet import ROWS, StripSheet

from helpers.fake_tensor_reader import fake_sheet

LETTERS = Letters(12.0, lambda height: height / 2)
MARGIN = 80.0


def test_a_recorded_camera_shows_the_same_cell() -> None:
    recorded = StripCamera()
    view = StripView()
    view.lay_out(fake_sheet(), recorded)
    recorded.look_at(64.0, 105.5, 5.5)
    view.agree(recorded)
    assert view.camera.zoom == 64
    assert view.sheet.cell_at(*view.camera.center) == 5 * 640 + 105


def test_moving_the_view_moves_the_recorded_camera() -> None:
    recorded = StripCamera()
    view = StripView()
    view.lay_out(fake_sheet(), recorded)
    x, y = view.sheet.position_of(3300) or (0, 0)
    view.camera.look_at(20.0, x + 0.5, y + 0.5)
    view.agree(recorded)
    cell = view.sheet.cell_at(*view.camera.center)
    assert cell is not None
    assert (recorded.zoom, recorded.target) == (20.0, (cell % 640 + 0.5, cell // 640 + 0.5))
    pose = view.camera.zoom, view.camera.center
    view.agree(recorded)
    assert (view.camera.zoom, view.camera.center) == pose
    again = StripView()
    again.lay_out(fake_sheet(), recorded)
    assert again.sheet.cell_at(*again.camera.center) == cell


@pytest.mark.parametrize("zoom", [1.0, 1.7, 3.0, 6.0, 12.0, 25.0, 50.0, 64.0])
@pytest.mark.parametrize("size", [(320, 180), (640, 360), (1280, 700), (2500, 1400)])
def test_labels_cover_nothing(zoom: float, size: tuple[int, int]) -> None:
    sheet = fake_sheet()
    camera = StripCamera(sheet.width, sheet.height)
    seen = 0
    for u, v in itertools.product((0.0, 0.31, 0.5, 0.77, 1.0), repeat=2):
        camera.look_at(zoom, u * sheet.width, v * sheet.height)
        width, height = size[0], round(size[0] * sheet.height / sheet.width)
        labels = strip_labels(sheet, camera.view, width, height, LETTERS, MARGIN)
        seen += len(labels)
        boxes = [(label.x, label.y, label.width, label.size) for label in labels]
        for one, other in itertools.combinations(boxes, 2):
            assert not _overlap(one, other)
        for label, box in zip(labels, boxes, strict=True):
            assert label.text
            assert label.y + label.size <= height
            if label.role is None:
                assert label.x + label.width <= 0
            else:
                assert all(not _overlap(box, data) for data in _data(sheet, camera.view, width, height))
    assert seen


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(max(one[i], other[i]) < min(one[i] + one[i + 2], other[i] + other[i + 2]) - 1e-6 for i in (0, 1))


def _data(sheet: StripSheet, view: View, width: int, height: int) -> list[tuple[float, ...]]:
    """The visible parts of boxes, in pixels."""
    across, down = width / view.width, height / view.height
    boxes: list[tuple[float, ...]] = []
    for box in sheet.boxes:
        left, top = max((box.x - view.x) * across, 0.0), max((box.y - view.y) * down, 0.0)
        right = min((box.x + box.columns - view.x) * across, width)
        bottom = min((box.y + ROWS - view.y) * down, height)
        if left < right and top < bottom:
            boxes.append((left, top, right - left, bottom - top))
    return boxes
