"""What is seen of the map, told by a value rather than by a cell, so that it holds in another layout and picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement

from .map_addresses import index_at, row_and_column
from .map_camera import MapCamera


@dataclass(frozen=True)
class MapViewport:
    """The value nearest to the middle of the picture, where the middle is beside it, and how much is seen.

    Cells move when the map gets room for more rows; values do not. `target` has an index.
    """

    target: TensorIndex
    x: float  # of the middle, in cells from the corner of the value's cell
    y: float
    width: float  # of what is seen, in cells; more than the whole map at the smallest zoom
    height: float


def viewport_of(camera: MapCamera, registry: Registry, layout: MapLayout, wide: int, high: int) -> MapViewport:
    """What `camera` shows of a map in a picture of wide x high pixels. The map has a tensor at least."""
    x, y, scale = camera.pose.x, camera.pose.y, camera.view(wide, high).scale
    placement = min(layout.placements.values(), key=lambda placement: _distance(placement, x, y))
    row, column = placement.value_near(int(x), int(y))
    corner = placement.cell_of(row, column)
    dimensions = len(registry.shape(registry[placement.name]))
    target = TensorIndex(placement.name, index_at(dimensions, row, column, layout.context))
    return MapViewport(target, x - corner[0], y - corner[1], wide * scale, high * scale)


def show(camera: MapCamera, viewport: MapViewport, layout: MapLayout, wide: int, high: int) -> bool:
    """Have `camera` show all of `viewport` in a picture of wide x high pixels; False when the map has no such tensor.

    A value that this map has no row or column for is taken for the last one.
    """
    placement = layout.placements.get(viewport.target.name)
    if placement is None:
        return False
    row, column = row_and_column(_within(viewport.target, layout.context), layout.context)
    x, y = placement.cell_of(min(row, placement.rows - 1), min(column, placement.columns - 1))
    camera.cover(x + viewport.x, y + viewport.y, viewport.width, viewport.height, wide, high)
    return True


def of_last_layer(viewport: MapViewport, layout: MapLayout) -> MapViewport:
    """The same sight for another model's map: of a layer that it has not, that of its last one."""
    name = viewport.target.name
    if name in layout.placements or not name.startswith("h."):
        return viewport
    end = "." + name.split(".", 2)[2]
    namesake = next((known for known in reversed(list(layout.placements)) if known.endswith(end)), name)
    return replace(viewport, target=TensorIndex(namesake, viewport.target.index))


def _within(target: TensorIndex, context: int) -> TensorIndex:
    """Of a pattern, a query that the map has: a later one would be another head's."""
    if len(target.index) != 3:
        return target
    head, query, key = target.index
    return TensorIndex(target.name, (head, min(query, context - 1), key))


def _distance(placement: Placement, x: float, y: float) -> float:
    dx = max(placement.x - x, 0.0, x - placement.x - placement.width)
    dy = max(placement.y - y, 0.0, y - placement.y - placement.height)
    return dx * dx + dy * dy
