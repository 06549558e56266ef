"""Strip's camera and the pace of the frame loop, as arithmetic without a window."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_viewer.app.frame_pacer import FramePacer
from atlas_viewer.state.camera import StripCamera, fitted

fractions = st.floats(0, 1)
moves = st.one_of(
    st.tuples(st.just("wheel"), st.floats(-4000, 4000), fractions, fractions),
    st.tuples(st.just("drag"), st.floats(-3, 3), st.floats(-3, 3)),
    st.tuples(st.just("look_at"), st.floats(-5, 500), st.floats(-900, 900), st.floats(-900, 900)),
)


def test_the_camera_starts_with_and_resets_to_everything() -> None:
    camera = StripCamera()
    camera.wheel(2000, 0.1, 0.9)
    assert camera.zoom == pytest.approx(16)
    camera.reset()
    view = camera.view
    assert (camera.zoom, view.x, view.y, view.width, view.height) == (1, 0, 0, 640, 360)


def test_500_wheel_units_double_the_zoom() -> None:
    camera = StripCamera()
    for notch in range(1, 6):
        camera.wheel(100, 0.5, 0.5)
        assert camera.zoom == pytest.approx(2 ** (notch / 5))
    camera.wheel(-500, 0.5, 0.5)
    assert camera.zoom == pytest.approx(1)


def test_the_zoom_is_limited_to_1_and_64() -> None:
    camera = StripCamera()
    camera.wheel(-500, 0.5, 0.5)
    assert camera.zoom == 1
    camera.wheel(100_000, 0.5, 0.5)
    assert camera.zoom == 64


@given(fractions, fractions, st.floats(0, 3000))
def test_the_cell_under_the_cursor_stays_when_zooming_in(u: float, v: float, units: float) -> None:
    camera = StripCamera()
    camera.look_at(2, 320, 180)
    before = camera.cell_at(u, v)
    camera.wheel(units, u, v)
    assert camera.cell_at(u, v) == pytest.approx(before, abs=1e-6)


def test_a_drag_moves_the_cell_with_the_cursor() -> None:
    camera = StripCamera()
    camera.look_at(8, 320, 180)
    before = camera.cell_at(0.5, 0.5)
    camera.drag(0.25, -0.1)
    assert camera.cell_at(0.75, 0.4) == pytest.approx(before)


@given(st.lists(moves, max_size=12))
def test_the_view_stays_inside_the_grid(steps: list[tuple[Any, ...]]) -> None:
    camera = StripCamera()
    for name, *values in steps:
        getattr(camera, name)(*values)
        view = camera.view
        assert 1 <= camera.zoom <= 64
        assert view.x >= -1e-9
        assert view.y >= -1e-9
        assert view.x + view.width <= 640 + 1e-9
        assert view.y + view.height <= 360 + 1e-9


@pytest.mark.parametrize(
    ("space", "size"),
    [
        ((640, 360), (640, 360)),
        ((1000, 360), (640, 360)),
        ((640, 900), (640, 360)),
        ((0, 0), (1, 1)),
        ((-5, 10), (1, 1)),
    ],
)
def test_fitted_keeps_the_proportions(space: tuple[int, int], size: tuple[int, int]) -> None:
    assert fitted(*space) == size


def _settle(pace: FramePacer, drawing: float) -> float:
    """The frame time after many frames, each taking `drawing` seconds in addition to the generation."""
    for _ in range(400):
        pace.frame(drawing + pace.budget, generating=True)
    return pace.frame_s


def test_the_pacer_keeps_30_frames_per_second_if_possible() -> None:
    slow = FramePacer(software=True)
    assert _settle(slow, 0.018) == pytest.approx(slow.target, abs=1e-3)
    assert slow.target < 1 / 30
    assert slow.budget == pytest.approx(0.012, abs=1e-3)


def test_the_generation_budget_has_both_limits() -> None:
    slow, fast = FramePacer(software=True), FramePacer(software=False)
    _settle(slow, 0.100)
    assert slow.budget == pytest.approx(0.0025)
    assert slow.display_interval > FramePacer(software=True).display_interval > fast.display_interval
    _settle(fast, 0.001)
    assert fast.budget <= 0.012


def test_a_slow_model_gets_longer_frames_on_software_adapters_only() -> None:
    def settled(software: bool, drawing: float, pass_s: float) -> FramePacer:
        pace = FramePacer(software)
        for _ in range(400):
            pace.frame(drawing + pace.budget, generating=True, pass_s=pass_s)
        return pace

    fast, slow = settled(True, 0.018, 0.02), settled(True, 0.018, 0.2)
    assert fast.frame_s == pytest.approx(0.030, abs=1e-3)
    assert slow.frame_s == pytest.approx(0.046, abs=1e-3)
    assert slow.budget == pytest.approx(fast.budget + 0.016, abs=1e-3)
    assert fast.frame_s < settled(True, 0.018, 0.05).frame_s < slow.frame_s
    # Where drawing alone takes all of the time, what frames become longer by is still generation's.
    assert settled(True, 0.100, 0.2).budget == pytest.approx(0.0025 + 0.016)
    assert settled(False, 0.010, 0.2).frame_s == pytest.approx(settled(False, 0.010, 0.0).frame_s)
    # The next run of a fast model has 30 frames per second again.
    for _ in range(400):
        slow.frame(0.018 + slow.budget, generating=True, pass_s=0.02)
    assert slow.frame_s == pytest.approx(0.030, abs=1e-3)


def test_a_pause_does_not_count_as_a_slow_frame() -> None:
    pace = FramePacer(software=True)
    _settle(pace, 0.018)
    budget = pace.budget
    pace.frame(30.0, generating=True)
    assert pace.budget == budget
    assert pace.frame_s == 0
