"""Finds the values under the cursor on Map with plain arithmetic."""

from __future__ import annotations

from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.map_pyramid import LEVELS
from compute.views.map_view import MapView, axis, level_of

from .inspection import Inspection, TensorInfo
from .map_addresses import index_at


def element_at(inspection: Inspection, layout: MapLayout, view: MapView, px: int, py: int) -> TensorIndex | None:
    """The values that pixel (px, py) of `view` shows; None when it shows none.

    If the values in the pixel are one range of indices, this is the range. Otherwise it is the value nearest to the
    pixel's center. In an attention pattern it is always a single value, because probes cannot read ranges of patterns.
    """
    level = level_of(view.scale, layout.base, LEVELS)
    block = 1 if level is None else layout.base << level
    left, right = (int(edge) * block for edge in axis(view.x, view.scale, 1, layout.width, block, px)[0, :2])
    top, bottom = (int(edge) * block for edge in axis(view.y, view.scale, 1, layout.height, block, py)[0, :2])
    if right <= left or bottom <= top:
        return None
    x, y = (int(part) for part in view.cell_at(px + 0.5, py + 0.5))
    x, y = min(max(x, left), right - 1), min(max(y, top), bottom - 1)
    placement = _placement(layout, x, y, left, top, right, bottom)
    if placement is None:
        return None
    cells, (left, top, right, bottom) = placement.in_cells(), _cells(placement, layout, view, level, px, py)
    if right <= left or bottom <= top:
        return None
    x, y = x // placement.cell_width, y // placement.cell_height
    x, y = min(max(x, left, cells.x), right - 1), min(max(y, top, cells.y), bottom - 1)
    x, y = min(x, cells.x + cells.width - 1), min(y, cells.y + cells.height - 1)
    value = cells.value_at(x, y)
    info = inspection.tensors.get(placement.name)
    if value is None or info is None:
        return None
    row, column = value
    element = TensorIndex(placement.name, index_at(len(info.shape), row, column, layout.context))
    if not inspection.exists(element):
        return None
    if len(info.shape) == 3:
        return element
    first, count = _run(info, cells, value, (x, y), (left, top, right, bottom))
    ranged = TensorIndex(placement.name, index_at(len(info.shape), row, first, layout.context), count)
    return ranged if count > 1 and inspection.exists(ranged) else element


def _cells(
    placement: Placement, layout: MapLayout, view: MapView, level: int | None, px: int, py: int
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the cells of a tensor in a pixel, on the plane whose unit is such a cell."""
    bounds = []
    for start, unit, size, pixel in (
        (view.x, placement.cell_width, layout.width, px),
        (view.y, placement.cell_height, layout.height, py),
    ):
        if level is None:
            low, high = (int(edge) for edge in axis(start / unit, view.scale / unit, 1, size // unit, 1, pixel)[0, :2])
        else:
            block = layout.base << level
            low, high = (int(edge) * block for edge in axis(start, view.scale, 1, size, block, pixel)[0, :2])
            low, high = low // unit, -(-high // unit)
        bounds.append((low, high))
    (left, right), (top, bottom) = bounds
    return left, top, right, bottom


def _placement(layout: MapLayout, x: int, y: int, left: int, top: int, right: int, bottom: int) -> Placement | None:
    """The tensor at unit (x, y), or else one that overlaps the pixel."""
    reaching = None
    for placement in layout.placements.values():
        if (
            left < placement.x + placement.width
            and placement.x < right
            and top < placement.y + placement.height
            and placement.y < bottom
        ):
            if placement.value_at(x, y) is not None:
                return placement
            reaching = reaching or placement
    return reaching


def _run(
    info: TensorInfo,
    placement: Placement,
    value: tuple[int, int],
    cell: tuple[int, int],
    pixel: tuple[int, int, int, int],
) -> tuple[int, int]:
    """First column and number of columns of the range in the pixel, in the row of `value`.

    One column when the pixel shows several rows of the tensor.
    """
    (row, column), (x, y), (left, top, right, bottom) = value, cell, pixel
    rows = info.shape[-2] if len(info.shape) > 1 else 1
    above, below = row - (y - top), row + (bottom - 1 - y)
    band = column // placement.band_columns * placement.band_columns
    if max(above, 0) < row or min(below, rows - 1) > row or (placement.over > 1 and bottom - top > 1):
        return column, 1
    end = min(band + placement.band_columns, placement.columns)
    first, last = max(column - (x - left), band), min(column + (right - x), end)
    return first, last - first
