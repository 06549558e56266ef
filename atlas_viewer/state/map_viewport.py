"""The visible part of Map, anchored to a value instead of a cell, so that it fits other layouts and sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compute.models.names import split_name
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement

from .map_addresses import index_at, row_and_column
from .map_camera import MapCamera


@dataclass(frozen=True)
class MapViewport:
    """The value nearest to the center of the picture, the center relative to it, and the visible size.

    Cells move when Map gets space for more rows; value indices do not change. `target` has an index.
    """

    target: TensorIndex
    x: float  # position of the center, in cells from the top left corner of the value's cell
    y: float
    width: float  # visible, in units of the plane; more than all of Map at the smallest zoom
    height: float


def viewport_of(camera: MapCamera, registry: Registry, layout: MapLayout, wide: int, high: int) -> MapViewport:
    """The part of Map that `camera` shows in a picture of wide x high pixels. The layout has at least one tensor."""
    x, y, scale = camera.pose.x, camera.pose.y, camera.view(wide, high).scale
    placement = min(layout.placements.values(), key=lambda placement: _distance(placement, x, y))
    row, column = placement.value_near(int(x), int(y))
    corner = placement.cell_of(row, column)
    dimensions = len(registry.shape(registry[placement.name]))
    target = TensorIndex(placement.name, index_at(dimensions, row, column, layout.context))
    across, down = (x - corner[0]) / placement.cell_width, (y - corner[1]) / placement.cell_height
    return MapViewport(target, across, down, wide * scale, high * scale)


def show(camera: MapCamera, viewport: MapViewport, layout: MapLayout, wide: int, high: int) -> bool:
    """Point `camera` at all of `viewport` in a picture of wide x high pixels; False if Map has no such tensor.

    Rows and columns beyond the tensor's end are clamped to its last ones.
    """
    placement = layout.placements.get(viewport.target.name)
    if placement is None:
        return False
    row, column = row_and_column(_within(viewport.target, layout.context), layout.context)
    x, y = placement.cell_of(min(row, placement.rows - 1), min(column, placement.columns - 1))
    middle = x + viewport.x * placement.cell_width, y + viewport.y * placement.cell_height
    camera.cover(*middle, viewport.width, viewport.height, wide, high)
    return True


def of_last_layer(viewport: MapViewport, layout: MapLayout) -> MapViewport:
    """The same viewport for another model; a layer missing from this model becomes its last layer."""
    name = viewport.target.name
    block, short = split_name(name)
    if name in layout.placements or block is None:
        return viewport
    namesake = name
    for known in layout.placements:
        layer, part = split_name(known)
        if layer is not None and part == short:
            namesake = known
    return replace(viewport, target=TensorIndex(namesake, viewport.target.index))


def _within(target: TensorIndex, context: int) -> TensorIndex:
    """Clamp a pattern's query to the rows of Map: a larger one would be in the next head."""
    if len(target.index) != 3:
        return target
    head, query, key = target.index
    return TensorIndex(target.name, (head, min(query, context - 1), key))


def _distance(placement: Placement, x: float, y: float) -> float:
    dx = max(placement.x - x, 0.0, x - placement.x - placement.width)
    dy = max(placement.y - y, 0.0, y - placement.y - placement.height)
    return dx * dx + dy * dy
