"""Flights of Map's camera: their path, their end, and what ends them early."""

from __future__ import annotations

import itertools

import pytest

from atlas_viewer.state.flight import SECONDS, Flight
from atlas_viewer.state.map_camera import CameraPose, MapCamera
from atlas_viewer.state.map_state import MapState
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import map_layout

from helpers.map_registry import STORIES, registry

NEAR, FAR = CameraPose(40.0, 100.0, 100.0), CameraPose(60.0, 3800.0, 2000.0)


def maps_of(pose: CameraPose) -> MapState:
    maps = MapState(size=(800, 450))
    maps.camera = MapCamera(4000, 2250)
    maps.camera.pose = pose
    return maps


def test_a_flight_begins_and_ends_where_it_should_and_takes_at_most_its_time() -> None:
    flight = Flight(NEAR, FAR, 4000.0)
    first = flight.at(7.0)
    assert (first.zoom, first.x, first.y) == pytest.approx((NEAR.zoom, NEAR.x, NEAR.y), rel=1e-6)
    assert flight.at(7.001 + SECONDS) == FAR
    assert SECONDS <= 0.6


def test_a_long_flight_zooms_out_and_in_again_without_jumps() -> None:
    flight = Flight(NEAR, FAR, 4000.0)
    poses = [flight.at(step * SECONDS / 100) for step in range(101)]
    zooms = [pose.zoom for pose in poses]
    assert min(zooms) < NEAR.zoom / 4
    assert all(before.x <= after.x and before.y <= after.y for before, after in itertools.pairwise(poses))
    moved = [(after.x - before.x) * min(before.zoom, after.zoom) / 4000 for before, after in itertools.pairwise(poses)]
    assert max(moved) < 0.15  # of the width of the picture, between two of a hundred frames


@pytest.mark.parametrize("end", [CameraPose(80.0, 100.0, 100.0), CameraPose(40.0, 100.0, 100.0)])
def test_a_flight_to_the_same_center_only_zooms(end: CameraPose) -> None:
    flight = Flight(NEAR, end, 4000.0)
    flight.at(0.0)
    half = flight.at(SECONDS / 2)
    assert (half.x, half.y) == (100.0, 100.0)
    assert half.zoom == pytest.approx((NEAR.zoom * end.zoom) ** 0.5)


def test_the_camera_arrives_and_back_leads_to_where_it_came_from() -> None:
    maps = maps_of(NEAR)
    end = maps.fly((3000.0, 1000.0, 200.0, 100.0))
    for step in range(8):
        maps.advance(step * 0.1)
    assert maps.flight is None
    assert maps.camera.pose == end
    maps.back()
    assert maps.camera.pose == NEAR


def test_what_the_user_does_ends_a_flight() -> None:
    maps = maps_of(NEAR)
    maps.fly((3000.0, 1000.0, 200.0, 100.0))
    maps.advance(0.0)
    maps.advance(0.2)
    maps.camera.drag(30, 0, *maps.size)
    pose = maps.camera.pose
    maps.advance(0.3)
    assert maps.flight is None
    assert maps.camera.pose == pose


def test_the_box_is_above_what_covers_the_picture() -> None:
    maps = maps_of(NEAR)
    box = (2000.0, 1000.0, 100.0, 100.0)
    maps.camera.pose = maps.fly(box, covered=150.0)
    top, bottom = (maps.view.pixel_at(2050.0, y)[1] for y in (1000.0, 1100.0))
    assert 0 <= top < bottom <= 300
    assert bottom - top > 240


def test_a_flight_to_a_value_ends_where_going_there_does() -> None:
    known = registry(STORIES, 32)
    flown, gone = MapState(size=(800, 600)), MapState(size=(800, 600))
    for maps in (flown, gone):
        maps.lay_out(known, map_layout(known, 32))
    home, target = flown.camera.pose, TensorIndex("h.1.mlp.c_fc", (2, 5))
    flown.fly_to(target)
    assert flown.camera.pose == home
    flown.advance(5.0)
    flown.advance(5.0 + SECONDS / 2)
    assert flown.camera.pose != home
    flown.advance(5.1 + SECONDS)
    gone.go(target)
    there, wanted = flown.camera.pose, gone.camera.pose
    assert (there.zoom, there.x, there.y) == pytest.approx((wanted.zoom, wanted.x, wanted.y))
    flown.back()
    assert flown.camera.pose == home
