"""Addresses on Map: from a `TensorIndex` to cells and back, and to the weights that produced its value."""

from __future__ import annotations

from compute.models.description import Description
from compute.models.operations import Activation, Gated, Linear, Norm, Scale, Weight
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout


def row_and_column(target: TensorIndex, context: int) -> tuple[int, int]:
    """(row, column) of the target in its placement; (0, 0) for a whole tensor.

    context: rows per head of attention patterns.
    """
    index = target.index or (0, 0)
    if len(index) == 1:
        return 0, index[0]
    if len(index) == 3:
        return index[0] * context + index[1], index[2]
    return index[0], index[1]


def index_at(dimensions: int, row: int, column: int, context: int) -> tuple[int, ...]:
    """The index of the value at a row and column of the placement; the inverse of `row_and_column`."""
    if dimensions == 1:
        return (column,)
    return (*divmod(row, context), column) if dimensions == 3 else (row, column)


def box_of(target: TensorIndex, layout: MapLayout) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the target, in units. Raises KeyError when Map has no such tensor."""
    placement = layout.placements[target.name]
    if not target.index:
        return placement.x, placement.y, placement.width, placement.height
    corner = placement.cell_of(*row_and_column(target, layout.context))
    return (*corner, placement.cell_width, placement.cell_height)


def made_by(target: TensorIndex, registry: Registry) -> TensorIndex | None:
    """The first of the weights that produced an activation's value, or of the queries that produced a pattern's.

    None for other values. Raises KeyError when `target` has no index.
    """
    if not target.index:
        raise KeyError(target.name)
    attention = registry.description.patterns.get(target.name)
    if attention is not None:
        head, query, _ = target.index
        return TensorIndex(attention.query.source, (query, attention.query.column(head)))
    weight = _made_by(registry.description, target.name)
    if weight is None:
        return None
    column = target.index[-1]
    # The scale of a norm of each head is shared by all heads.
    return TensorIndex(weight.name, (column % weight.shape[0],) if len(weight.shape) == 1 else (column, 0))


def _made_by(description: Description, name: str) -> Weight | None:
    """The weight with a row, or a value, per column of the activation `name`; None when there is none."""
    operation = description.outputs.get(name)
    if isinstance(operation, Norm):
        return operation.scale
    if isinstance(operation, Linear):
        return operation.weight
    if isinstance(operation, Activation | Gated | Scale):
        return _made_by(description, operation.x)
    if name in description.stream:
        return _made_by(description, description.contributors(name)[0])
    return None


def source_range(target: TensorIndex, registry: Registry) -> TensorIndex | None:
    """All the weights that produced an activation's value, a row of a matrix, or the queries that produced a pattern's.

    None for other values. Raises KeyError when `target` has no index.
    """
    first = made_by(target, registry)
    if first is None:
        return None
    attention = registry.description.patterns.get(target.name)
    if attention is not None:
        return TensorIndex(first.name, first.index, attention.head_size)
    return TensorIndex(first.name, first.index, registry[first.name].columns if len(first.index) == 2 else 1)


def range_boxes(target: TensorIndex, layout: MapLayout) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height), in units, of a run of values in one row; empty when Map does not have them."""
    placement = layout.placements.get(target.name)
    if placement is None or not target.index:
        return []
    row, column = row_and_column(target, layout.context)
    boxes, end = [], min(column + target.count, placement.columns)
    while column < end and row < placement.rows:
        count = min(placement.band_columns - column % placement.band_columns, end - column)
        corner = placement.cell_of(row, column)
        boxes.append((*corner, count * placement.cell_width, placement.cell_height))
        column += count
    return boxes


def row_boxes(registry: Registry, layout: MapLayout, first: int, end: int) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height), in units, of rows `first` to `end` (exclusive) of every activation."""
    boxes = []
    for name, placement in layout.placements.items():
        if registry[name].rows is None and first < end:
            for band in range(placement.bands):
                x, y, width, _ = placement.band_box(band)
                cell = placement.cell_height
                boxes.append((x, y + first * cell, width, (end - first) * cell))
    return boxes
