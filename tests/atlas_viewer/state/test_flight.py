"""Flights of Map's camera: they begin and end exactly, are continuous, and give way to everything else."""

from __future__ import annotations

import itertools
import math

import pytest

from atlas_viewer.state.flight import SECONDS, Flight
from atlas_viewer.state.map_camera import CameraPose
from atlas_viewer.state.map_state import MapState
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import map_layout

from helpers.map_registry import STORIES, registry

NEAR, FAR = CameraPose(40.0, 100.0, 100.0), CameraPose(40.0, 4000.0, 900.0)


@pytest.mark.parametrize(
    ("start", "end"), [(NEAR, FAR), (NEAR, CameraPose(2.0, 100.0, 100.0)), (CameraPose(1.0, 2000.0, 500.0), FAR)]
)
def test_it_goes_from_start_to_end(start: CameraPose, end: CameraPose) -> None:
    flight = Flight(start, end, 10.0, 5000.0)
    first = flight.pose(10.0)
    for got, wanted in ((first, start), (flight.pose(10.0 + 0.99999999 * SECONDS), end)):
        assert math.isclose(got.zoom, wanted.zoom, rel_tol=1e-6)
        assert math.isclose(got.x, wanted.x, rel_tol=1e-6)
        assert math.isclose(got.y, wanted.y, rel_tol=1e-6)
    assert flight.pose(10.0 + SECONDS) == flight.pose(99.0) == end
    zooms = [flight.pose(10 + SECONDS * share / 100).zoom for share in range(101)]
    steps = [abs(math.log(later / earlier)) for earlier, later in itertools.pairwise(zooms)]
    assert max(steps) < 0.3  # it never jumps


def test_a_long_way_is_seen_from_above() -> None:
    flight = Flight(NEAR, FAR, 0.0, 5000.0)
    assert flight.pose(SECONDS / 2).zoom < NEAR.zoom / 4


def made() -> MapState:
    maps, known = MapState(size=(800, 600)), registry(STORIES, 32)
    maps.lay_out(known, map_layout(known, 32))
    return maps


def flying(maps: MapState) -> bool:
    return maps.flight is not None


def test_the_camera_flies_to_a_value_and_back_leads_home() -> None:
    maps, target = made(), TensorIndex("h.1.mlp.c_fc", (2, 5))
    home = maps.camera.pose
    maps.fly(target, 5.0)
    assert maps.camera.pose == home
    assert flying(maps)
    maps.advance(5.0 + SECONDS / 2)
    assert maps.camera.pose != home
    maps.advance(5.0 + SECONDS)
    assert not flying(maps)
    there = made()
    there.go(target)
    assert maps.camera.pose == there.camera.pose
    maps.back()
    assert maps.camera.pose == home


def test_another_move_ends_the_flight() -> None:
    maps = made()
    maps.fly(TensorIndex("h.1.mlp.c_fc", (2, 5)), 5.0)
    maps.advance(5.1)
    maps.camera.wheel(50.0, 400, 300, *maps.size)
    pose = maps.camera.pose
    maps.advance(5.2)
    assert not flying(maps)
    assert maps.camera.pose == pose
