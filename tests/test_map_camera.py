"""The map's camera: what is under the cursor stays there, the view stays on the plane, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_models import TINY
from map_registry import STORIES, registry

from atlas_viewer.map_camera import CELL_MOST, MapCamera, Stand, Visits
from compute.config import ModelConfig
from compute.map_layout import map_layout

WIDE, HIGH = 1280, 720


def test_at_first_everything_is_seen() -> None:
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


def test_zoom_ends_at_single_digits_and_at_everything() -> None:
    camera = MapCamera(9000, 4000)
    camera.wheel(1e5, 600, 300, WIDE, HIGH)
    assert 1 / camera.view(WIDE, HIGH).scale == pytest.approx(CELL_MOST)
    camera.look_at(1e9, -50, 1e9, WIDE, HIGH)
    assert (camera.stand.x, camera.stand.y) == (0, 4000)
    camera.wheel(-1e5, 0, 0, WIDE, HIGH)
    assert camera.stand == Stand(1.0, 4500, 2000)


def test_what_is_framed_fits() -> None:
    camera = MapCamera(9000, 4000)
    camera.frame((1000, 2000, 300, 700), WIDE, HIGH)
    view = camera.view(WIDE, HIGH)
    left, top = view.pixel_at(1000, 2000)
    right, bottom = view.pixel_at(1300, 2700)
    assert bottom - top == pytest.approx(0.9 * HIGH)
    assert (left + right) / 2 == pytest.approx(WIDE / 2)


@pytest.mark.parametrize("name", ["h.3.mlp.c_fc.weight", "h.5.attn.qkv", "wte", "h.2.attn.pattern"])
def test_another_window_keeps_the_value_in_the_middle(name: str) -> None:
    before, after = (map_layout(registry(STORIES, 256), window) for window in (64, 256))
    row, column = (64 + 40, 50) if name.endswith("pattern") else (41, 70)
    camera = MapCamera(before.width, before.height)
    x, y = before.place_of(name, row, column)
    camera.look_at(200, x + 0.5, y + 0.5, WIDE, HIGH)
    scale = camera.view(WIDE, HIGH).scale
    camera.move(before, after, WIDE, HIGH)
    wanted = (256 + 40, 50) if name.endswith("pattern") else (41, 70)
    assert after.cell_at(int(camera.stand.x), int(camera.stand.y)) == (name, *wanted)
    assert camera.view(WIDE, HIGH).scale == pytest.approx(scale)


@pytest.mark.parametrize("window", [64, 16])
def test_another_window_moves_heads_of_patterns_and_nothing_else(window: int) -> None:
    config = ModelConfig(layers=2, heads=2, channels=64, positions=64, vocabulary=500, padded_vocabulary=512)
    before, after = map_layout(registry(config, 64), 64), map_layout(registry(config, 64), window)
    for name, value, wanted in (
        ("h.1.mlp.c_fc.weight", (200, 7), (200, 7)),
        ("h.1.attn.pattern", (64 + 40, 11), (window + min(40, window - 1), 11)),
    ):
        camera = MapCamera(before.width, before.height)
        x, y = before.place_of(name, *value)
        camera.look_at(20, x + 0.5, y + 0.5, WIDE, HIGH)
        camera.move(before, after, WIDE, HIGH)
        assert after.cell_at(int(camera.stand.x), int(camera.stand.y)) == (name, *wanted)


@pytest.mark.parametrize(
    ("name", "value", "there", "wanted"),
    [
        ("h.7.ln_1", (3, 3), "h.1.ln_1", (3, 3)),
        ("h.1.mlp.c_fc.weight", (500, 100), "h.1.mlp.c_fc.weight", (47, 11)),
        ("h.5.attn.pattern", (4 * 64 + 60, 1), "h.1.attn.pattern", (9 + 8, 1)),
        ("ln_f.weight", (0, 191), "ln_f.weight", (0, 11)),
    ],
)
def test_another_model_keeps_the_place(name: str, value: tuple[int, int], there: str, wanted: tuple[int, int]) -> None:
    before, after = map_layout(registry(STORIES, 64), 64), map_layout(registry(TINY, 9), 9)
    camera = MapCamera(before.width, before.height)
    x, y = before.place_of(name, *value)
    camera.look_at(99, x + 0.5, y + 0.5, WIDE, HIGH)
    scale = camera.view(WIDE, HIGH).scale
    camera.move(before, after, WIDE, HIGH)
    assert after.cell_at(int(camera.stand.x), int(camera.stand.y)) == (there, *wanted)
    assert camera.view(WIDE, HIGH).scale == pytest.approx(scale)


def test_all_stays_all_and_what_is_no_more_becomes_all() -> None:
    before, after = map_layout(registry(STORIES, 64), 64), map_layout(registry(STORIES, 64, traced=False), 64)
    camera = MapCamera(before.width, before.height)
    camera.look_at(99, *before.place_of("h.7.ln_1", 3, 3), WIDE, HIGH)
    camera.move(before, after, WIDE, HIGH)
    assert camera.stand == Stand(1.0, after.width / 2, after.height / 2)
    camera.move(after, before, WIDE, HIGH)
    assert camera.stand == Stand(1.0, before.width / 2, before.height / 2)


def test_visits_go_back_and_forward() -> None:
    visits = Visits()
    assert visits.back() is None
    stands = [Stand(zoom, 1, 2) for zoom in (1.0, 2.0, 3.0)]
    for stand in (*stands, stands[-1]):
        visits.visit(stand)
    assert [visits.back(), visits.back(), visits.back()] == [stands[1], stands[0], None]
    assert visits.forward() == stands[1]
    visits.visit(Stand(9.0, 0, 0))
    assert visits.forward() is None
    assert visits.back() == stands[1]
    for number in range(300):
        visits.visit(Stand(1.0, number, 0))
    assert len(visits.stands) == 100
    assert visits.back() == Stand(1.0, 298, 0)
