"""The values under the cursor on Map, for random points and zooms, compared with a search through all cells."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.state.inspection import Inspection, TensorInfo
from atlas_viewer.state.map_addresses import row_and_column
from atlas_viewer.state.map_hit_test import element_at
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import map_layout
from compute.views.map_placement import Placement
from compute.views.map_pyramid import LEVELS
from compute.views.map_view import MapView, axis, level_of

from helpers.map_registry import STORIES, registry

ROWS, CONTEXT = 12, 32
REGISTRY = registry(STORIES, 64)
REGISTRY.rows = ROWS
LAYOUT = map_layout(REGISTRY, CONTEXT)
INSPECTION = Inspection(tensors={tensor.name: TensorInfo.of(REGISTRY, tensor) for tensor in REGISTRY})


def under(view: MapView, px: int, py: int, placement: Placement) -> set[tuple[int, int]]:
    """The corners of the cells in the pixel, on a plane of cells as large as those of a tensor."""
    level = level_of(view.scale, LAYOUT.base, LEVELS)
    sides = []
    for start, unit, size, first in (
        (view.x, placement.cell_width, LAYOUT.width, px),
        (view.y, placement.cell_height, LAYOUT.height, py),
    ):
        if level is None:
            low, high = axis(start / unit, view.scale / unit, 1, size // unit, 1, first)[0, :2] * unit
        else:
            block = LAYOUT.base << level
            low, high = axis(start, view.scale, 1, size, block, first)[0, :2] * block
            low = low // unit * unit
        sides.append(range(int(low), int(high), unit))
    return {(x, y) for x in sides[0] for y in sides[1]}


def values(element: TensorIndex) -> set[tuple[int, int]]:
    """The cells of the element's values."""
    info = INSPECTION.tensors[element.name]
    first = info.flat_index(element.index)
    elements = (TensorIndex(info.name, info.multi_index(flat)) for flat in range(first, first + element.count))
    return {LAYOUT.cell_of(info.name, *row_and_column(single, CONTEXT)) for single in elements}


@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0, 1.7, 3.0, 9.0, 40.0])
def test_the_element_is_in_the_pixel_and_a_range_is_all_of_it(scale: float) -> None:
    generator = np.random.default_rng(int(100 * scale))
    names = list(LAYOUT.placements)
    hits = ranged = 0
    for _ in range(250 if scale < 10 else 100):  # each searches up to 1600 cells
        placement = LAYOUT.placements[names[generator.integers(len(names))]]
        x, y = placement.x + generator.integers(placement.width), placement.y + generator.integers(placement.height)
        view = MapView(x - 50.5 * scale + generator.random(), y - 40.5 * scale, scale)
        element = element_at(INSPECTION, LAYOUT, view, 50, 40)
        if element is None:
            continue
        hits += 1
        shown = under(view, 50, 40, LAYOUT.placements[element.name])
        assert INSPECTION.exists(element)
        assert values(element) <= shown
        if element.count > 1:
            ranged += 1
            of_tensor = {cell for cell in shown if (found := LAYOUT.cell_at(*cell)) and found[0] == element.name}
            existing = {cell for cell in of_tensor if _exists(cell)}
            assert values(element) == existing
    assert hits > 50
    assert (ranged > 0) == (scale > 1)


def _exists(cell: tuple[int, int]) -> bool:
    found = LAYOUT.cell_at(*cell)
    assert found is not None
    name, row, column = found
    info = INSPECTION.tensors[name]
    if len(info.shape) == 3:
        return row % CONTEXT < ROWS and column < ROWS
    return len(info.shape) == 1 or row < info.shape[0]


def test_a_tensor_thinner_than_a_pixel_is_found() -> None:
    placement = LAYOUT.placements["h.3.ln_1.weight"]
    scale = LAYOUT.width / 640
    view = MapView(0, 0, scale)
    found = set()
    for py in range(int(placement.y / scale) - 3, int(placement.y / scale) + 4):
        element = element_at(INSPECTION, LAYOUT, view, int((placement.x + placement.width / 2) / scale), py)
        found.add(element.name if element else None)
    assert "h.3.ln_1.weight" in found


def test_elements_of_patterns_are_single_values() -> None:
    """Probes cannot read ranges of a pattern's values."""
    placement, generator, hits = LAYOUT.placements["h.1.attn.pattern"], np.random.default_rng(0), 0
    for _ in range(300):
        x, y = placement.x + generator.integers(placement.width), placement.y + generator.integers(placement.height)
        view = MapView(x - 75 - generator.random(), y - 60 - generator.random(), 1.5)
        element = element_at(INSPECTION, LAYOUT, view, 50, 40)
        if element is not None and element.name == placement.name:
            hits += 1
            assert element.count == 1
    assert hits > 10
