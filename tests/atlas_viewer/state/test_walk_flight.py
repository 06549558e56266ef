"""Flights to boxes on Map: they frame the box beside what covers the picture, and Back leads home."""

from __future__ import annotations

from atlas_viewer.state.flight import SECONDS
from atlas_viewer.state.map_camera import CameraPose, MapCamera
from atlas_viewer.state.map_state import MapState

HOME = CameraPose(40.0, 100.0, 100.0)


def maps_of(pose: CameraPose) -> MapState:
    maps = MapState(size=(800, 450))
    maps.camera = MapCamera(4000, 2250)
    maps.camera.pose = pose
    return maps


def test_a_flight_takes_at_most_its_time_and_back_leads_home() -> None:
    maps = maps_of(HOME)
    end = maps.fly_to((3000.0, 1000.0, 200.0, 100.0), 5.0)
    maps.advance(5.0)
    assert maps.camera.pose != end
    assert SECONDS <= 0.6
    maps.advance(5.001 + SECONDS)
    assert maps.flight is None
    assert maps.camera.pose == end
    maps.back()
    assert maps.camera.pose == HOME


def test_a_flight_to_where_the_camera_is_takes_no_time() -> None:
    maps = maps_of(HOME)
    maps.camera.pose = maps.fly_to((3000.0, 1000.0, 200.0, 100.0), 0.0)
    maps.flight = None
    assert maps.fly_to((3000.0, 1000.0, 200.0, 100.0), 9.0) == maps.camera.pose
    assert maps.flight is None


def test_the_box_is_beside_what_covers_the_picture() -> None:
    maps = maps_of(HOME)
    maps.camera.pose = maps.fly_to((2000.0, 1000.0, 100.0, 100.0), 0.0, covered=(200.0, 150.0))
    left, top = maps.view.pixel_at(2000.0, 1000.0)
    right, bottom = maps.view.pixel_at(2100.0, 1100.0)
    assert 0 <= top < bottom <= 300
    assert 0 <= left < right <= 600
    assert bottom - top > 240
