"""Map's camera: the cell under the cursor stays there, the view stays on the plane, the history works."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_viewer.state.map_camera import CELL_MOST, CameraPose, MapCamera, ViewHistory
from atlas_viewer.state.map_state import MapState
from atlas_viewer.state.map_viewport import MapViewport, show, viewport_of
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import map_layout

from helpers.make_models import TINY
from helpers.map_registry import STORIES, registry

WIDE, HIGH = 1280, 720


def test_everything_is_visible_at_first() -> None:
    for plane in ((9000, 4000), (3000, 8000)):
        view = MapCamera(*plane).view(WIDE, HIGH)
        assert view.x <= 0
        assert view.y <= 0
        right, bottom = view.cell_at(WIDE, HIGH)
        assert right >= plane[0]
        assert bottom >= plane[1]
        assert view.scale == max(plane[0] / WIDE, plane[1] / HIGH)


@given(st.floats(0, WIDE), st.floats(0, HIGH), st.floats(20, 900))
def test_the_cell_under_the_cursor_stays(px: float, py: float, units: float) -> None:
    camera = MapCamera(9000, 4000)
    camera.look_at(20, 4500, 2000, WIDE, HIGH)
    before = camera.view(WIDE, HIGH).cell_at(px, py)
    camera.wheel(units, px, py, WIDE, HIGH)
    assert camera.view(WIDE, HIGH).cell_at(px, py) == pytest.approx(before)


def test_a_drag_moves_the_cell_with_the_cursor() -> None:
    camera = MapCamera(9000, 4000)
    camera.look_at(30, 4500, 2000, WIDE, HIGH)
    before = camera.view(WIDE, HIGH).cell_at(500, 300)
    camera.drag(37, -12, WIDE, HIGH)
    assert camera.view(WIDE, HIGH).cell_at(537, 288) == pytest.approx(before)


def test_the_zoom_has_both_limits() -> None:
    camera = MapCamera(9000, 4000)
    camera.wheel(1e5, 600, 300, WIDE, HIGH)
    assert 1 / camera.view(WIDE, HIGH).scale == pytest.approx(CELL_MOST)
    camera.look_at(1e9, -50, 1e9, WIDE, HIGH)
    assert (camera.pose.x, camera.pose.y) == (0, 4000)
    camera.wheel(-1e5, 0, 0, WIDE, HIGH)
    assert camera.pose == CameraPose(1.0, 4500, 2000)


def test_a_framed_box_fits() -> None:
    camera = MapCamera(9000, 4000)
    camera.frame((1000, 2000, 300, 700), WIDE, HIGH)
    view = camera.view(WIDE, HIGH)
    left, top = view.pixel_at(1000, 2000)
    right, bottom = view.pixel_at(1300, 2700)
    assert bottom - top == pytest.approx(0.9 * HIGH)
    assert (left + right) / 2 == pytest.approx(WIDE / 2)


@pytest.mark.parametrize("name", ["h.3.mlp.c_fc.weight", "h.5.attn.qkv", "wte", "h.2.attn.pattern", "h.1.ln_1.bias"])
def test_a_new_context_keeps_the_value_at_the_center(name: str) -> None:
    tensors = registry(STORIES, 256)
    before, after = (map_layout(tensors, context) for context in (64, 256))
    row, column = {"h.2.attn.pattern": (64 + 40, 50), "h.1.ln_1.bias": (0, 70)}.get(name, (41, 70))
    camera = MapCamera(before.width, before.height)
    x, y = before.cell_of(name, row, column)
    camera.look_at(200, x + 0.5, y + 0.5, WIDE, HIGH)
    viewport = viewport_of(camera, tensors, before, WIDE, HIGH)
    index = {"h.2.attn.pattern": (1, 40, 50), "h.1.ln_1.bias": (70,)}.get(name, (41, 70))
    assert viewport.target == TensorIndex(name, index)
    other = MapCamera(after.width, after.height)
    assert show(other, viewport, after, WIDE, HIGH)
    wanted = (256 + 40, 50) if name.endswith("pattern") else (row, column)
    assert after.cell_at(int(other.pose.x), int(other.pose.y)) == (name, *wanted)
    assert other.view(WIDE, HIGH).scale == pytest.approx(camera.view(WIDE, HIGH).scale)


@given(st.floats(1, 2000), st.floats(0, 1), st.floats(0, 1))
def test_a_viewport_is_restored(zoom: float, x: float, y: float) -> None:
    tensors = registry(STORIES, 64)
    layout = map_layout(tensors, 64)
    camera, other = (MapCamera(layout.width, layout.height) for _ in range(2))
    camera.look_at(zoom, x * layout.width, y * layout.height, WIDE, HIGH)
    assert show(other, viewport_of(camera, tensors, layout, WIDE, HIGH), layout, WIDE, HIGH)
    assert vars(other.pose) == pytest.approx(vars(camera.pose))


def test_between_two_bands_a_nearby_value_is_the_anchor() -> None:
    tensors = registry(STORIES, 256)
    before, after = (map_layout(tensors, context) for context in (64, 256))
    placement = before.placements["h.3.mlp.c_fc.weight"]
    camera, other = MapCamera(before.width, before.height), MapCamera(after.width, after.height)
    x, y = placement.x + placement.band_columns + 5, placement.y + 30.5
    assert before.cell_at(int(x), int(y)) is None
    camera.look_at(90, x + 0.5, y, WIDE, HIGH)
    viewport = viewport_of(camera, tensors, before, WIDE, HIGH)
    assert show(other, viewport, after, WIDE, HIGH)
    moved = after.placements[placement.name]
    assert (other.pose.x - moved.x, other.pose.y - moved.y) == pytest.approx((x + 0.5 - placement.x, y - placement.y))


def test_another_aspect_ratio_shows_the_whole_viewport() -> None:
    tensors = registry(STORIES, 64)
    layout = map_layout(tensors, 64)
    camera, other = (MapCamera(layout.width, layout.height) for _ in range(2))
    camera.look_at(40, *layout.cell_of("h.3.attn.qkv", 3, 3), WIDE, HIGH)
    show(other, viewport_of(camera, tensors, layout, WIDE, HIGH), layout, 300, 900)
    seen, again = camera.view(WIDE, HIGH), other.view(300, 900)
    assert again.cell_at(0, 0)[0] == pytest.approx(seen.cell_at(0, 0)[0])
    assert again.cell_at(300, 900)[0] == pytest.approx(seen.cell_at(WIDE, HIGH)[0])
    assert again.cell_at(0, 0)[1] < seen.cell_at(0, 0)[1]


@pytest.mark.parametrize(
    ("index", "there"),
    [((2, 900, 900), (2 * 64 + 63, 63)), ((99, 3, 3), (5 * 64 + 63, 3)), ((10**15, 0, 10**15), (5 * 64 + 63, 63))],
)
def test_an_index_beyond_a_tensor_becomes_its_end(index: tuple[int, ...], there: tuple[int, int]) -> None:
    layout = map_layout(registry(STORIES, 64), 64)
    camera = MapCamera(layout.width, layout.height)
    assert show(camera, MapViewport(TensorIndex("h.2.attn.pattern", index), 0.5, 0.5, 16, 9), layout, WIDE, HIGH)
    assert layout.cell_at(int(camera.pose.x), int(camera.pose.y)) == ("h.2.attn.pattern", *there)


def test_a_model_without_the_tensor_leaves_the_camera_alone() -> None:
    before, after = registry(STORIES, 64), map_layout(registry(TINY, 9), 9)
    layout = map_layout(before, 64)
    camera, other = MapCamera(layout.width, layout.height), MapCamera(after.width, after.height)
    camera.look_at(99, *layout.cell_of("h.7.ln_1", 3, 3), WIDE, HIGH)
    assert not show(other, viewport_of(camera, before, layout, WIDE, HIGH), after, WIDE, HIGH)
    assert other.pose == CameraPose(1.0, after.width / 2, after.height / 2)


@pytest.mark.parametrize(
    ("name", "value", "there", "wanted"),
    [
        ("h.7.ln_1", (3, 3), "h.1.ln_1", (3, 3)),
        ("h.1.mlp.c_fc.weight", (500, 100), "h.1.mlp.c_fc.weight", (47, 11)),
        ("h.5.attn.pattern", (1 * 64 + 6, 1), "h.1.attn.pattern", (9 + 6, 1)),
        ("ln_f.weight", (0, 191), "ln_f.weight", (0, 11)),
    ],
)
def test_another_model_keeps_the_view(name: str, value: tuple[int, int], there: str, wanted: tuple[int, int]) -> None:
    maps, before, after = MapState(size=(WIDE, HIGH)), registry(STORIES, 64), registry(TINY, 9)
    maps.lay_out(before, map_layout(before, 64))
    assert maps.layout is not None
    x, y = maps.layout.cell_of(name, *value)
    maps.view_history.visit(maps.camera.pose)
    maps.camera.look_at(99, x + 0.5, y + 0.5, WIDE, HIGH)
    maps.view_history.visit(maps.camera.pose)
    cell = maps.cell
    maps.lay_out(after, map_layout(after, 9))
    assert maps.cell == pytest.approx(cell)
    pose = maps.camera.pose
    assert maps.layout.cell_at(int(pose.x), int(pose.y)) == (there, *wanted)
    assert maps.view_history.poses == [CameraPose(1.0, maps.layout.width / 2, maps.layout.height / 2), pose]


def test_a_view_of_everything_or_of_a_lost_tensor_shows_everything() -> None:
    traced, plain = registry(STORIES, 64), registry(STORIES, 64, traced=False)
    maps = MapState(size=(WIDE, HIGH))
    maps.lay_out(traced, map_layout(traced, 64))
    assert maps.layout is not None
    maps.camera.look_at(99, *maps.layout.cell_of("h.7.ln_1", 3, 3), WIDE, HIGH)
    for tensors in (plain, traced):
        maps.lay_out(tensors, map_layout(tensors, 64))
        assert maps.camera.pose == CameraPose(1.0, maps.layout.width / 2, maps.layout.height / 2)


def test_the_history_goes_back_and_forward() -> None:
    view_history = ViewHistory()
    assert view_history.back() is None
    poses = [CameraPose(zoom, 1, 2) for zoom in (1.0, 2.0, 3.0)]
    for pose in (*poses, poses[-1]):
        view_history.visit(pose)
    assert [view_history.back(), view_history.back(), view_history.back()] == [poses[1], poses[0], None]
    assert view_history.forward() == poses[1]
    view_history.visit(CameraPose(9.0, 0, 0))
    assert view_history.forward() is None
    assert view_history.back() == poses[1]
    for number in range(300):
        view_history.visit(CameraPose(1.0, number, 0))
    assert len(view_history.poses) == 100
    assert view_history.back() == CameraPose(1.0, 298, 0)
