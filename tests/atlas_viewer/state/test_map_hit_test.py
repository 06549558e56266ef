"""What is under the cursor on the map, for random points and zooms, against a search through all cells."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.state.inspection import Inspection, TensorIndex, TensorInfo
from atlas_viewer.state.map_addresses import Target, row_and_column
from atlas_viewer.state.map_hit_test import spot_of, spot_under, target_of
from compute.views.map_layout import map_layout
from compute.views.map_pyramid import LEVELS
from compute.views.map_view import MapView, axis, level_of

from helpers.map_registry import STORIES, registry

ROWS, CONTEXT = 12, 32
REGISTRY = registry(STORIES, 64)
REGISTRY.rows = ROWS
LAYOUT = map_layout(REGISTRY, CONTEXT)
INSPECTION = Inspection(
    tensors={
        t.name: TensorInfo(t.name, t.kind, REGISTRY.shape(t), "", t.rows is None, context=t.columns if t.heads else 0)
        for t in REGISTRY
    }
)


def under(view: MapView, px: int, py: int) -> set[tuple[int, int]]:
    """The cells that the pixel shows."""
    level = level_of(view.scale, LAYOUT.base, LEVELS)
    block = 1 if level is None else LAYOUT.base << level
    (x0, x1), (y0, y1) = (
        axis(start, view.scale, 1, size, block, first)[0, :2] * block
        for start, size, first in ((view.x, LAYOUT.width, px), (view.y, LAYOUT.height, py))
    )
    return {(int(x), int(y)) for x in range(x0, x1) for y in range(y0, y1)}


def values(element: TensorIndex) -> set[tuple[int, int]]:
    """The cells of a spot's values."""
    info = INSPECTION.tensors[element.name]
    places = (info.place(index) for index in range(element.index, element.index + element.count))
    return {LAYOUT.place_of(element.name, *row_and_column(Target(element.name, place), CONTEXT)) for place in places}


@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0, 1.7, 3.0, 9.0, 40.0])
def test_the_spot_is_in_the_pixel_and_a_run_is_all_of_it(scale: float) -> None:
    generator = np.random.default_rng(int(100 * scale))
    names = list(LAYOUT.placements)
    told = ranged = 0
    for _ in range(250 if scale < 10 else 100):  # each looks at up to 1600 cells
        place = LAYOUT.placements[names[generator.integers(len(names))]]
        x, y = place.x + generator.integers(place.width), place.y + generator.integers(place.height)
        view = MapView(x - 50.5 * scale + generator.random(), y - 40.5 * scale, scale)
        element = spot_under(INSPECTION, LAYOUT, view, 50, 40)
        shown = under(view, 50, 40)
        if element is None:
            continue
        told += 1
        assert INSPECTION.exists(element)
        assert values(element) <= shown
        if element.count > 1:
            ranged += 1
            of_tensor = {cell for cell in shown if (found := LAYOUT.cell_at(*cell)) and found[0] == element.name}
            existing = {cell for cell in of_tensor if _exists(cell)}
            assert values(element) == existing
    assert told > 50
    assert (ranged > 0) == (scale > 1)


def _exists(cell: tuple[int, int]) -> bool:
    found = LAYOUT.cell_at(*cell)
    assert found is not None
    name, row, column = found
    info = INSPECTION.tensors[name]
    if info.context:
        return row % CONTEXT < ROWS and column < ROWS
    return len(info.shape) == 1 or row < info.shape[0]


def test_a_tensor_thinner_than_a_pixel_is_found() -> None:
    place = LAYOUT.placements["h.3.ln_1.weight"]
    scale = LAYOUT.width / 640
    view = MapView(0, 0, scale)
    found = set()
    for py in range(int(place.y / scale) - 3, int(place.y / scale) + 4):
        element = spot_under(INSPECTION, LAYOUT, view, int((place.x + place.width / 2) / scale), py)
        found.add(element.name if element else None)
    assert "h.3.ln_1.weight" in found


def test_places_and_spots_belong_together() -> None:
    for name, index in (("wte", 1234), ("logits", 99), ("h.1.attn.pattern", (2 * 64 + 11) * 64 + 7)):
        target = target_of(TensorIndex(name, index), INSPECTION.tensors)
        assert target is not None
        assert spot_of(target, INSPECTION.tensors) == TensorIndex(name, index)
    assert spot_of(Target("h.1.attn.pattern"), INSPECTION.tensors) == TensorIndex("h.1.attn.pattern", 0)
    assert spot_of(Target("nothing"), INSPECTION.tensors) is None
    assert target_of(TensorIndex("nothing", 0), INSPECTION.tensors) is None
