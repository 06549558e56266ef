"""The parts of tensors that a selection highlights: boxes of indices, rectangles on Map, and cells of Strip."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from compute.models.axes import Axis
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.strip_layout import Span

from .inspection import TensorInfo
from .selecting import row_of
from .selection import Selection
from .state import State

Box = tuple[tuple[int, int], ...]  # start and stop of the indices in each dimension
_EVERYWHERE = ("position", "absolute", "token", "channel")  # axes whose coordinates all layers share


@dataclass(frozen=True)
class Target:
    """A selection in the rows of the latest pass."""

    selection: Selection
    row: int | None  # of `position` in activations
    key: int | None
    absolute: int | None  # the row of `position` in the embedding of positions

    @classmethod
    def of(cls, state: State, selection: Selection) -> Target:
        """The selection in the latest pass."""
        row = None if selection.position is None else row_of(state, selection.position)
        key = None if selection.key is None else row_of(state, selection.key)
        return cls(selection, row, key, None if row is None else row + state.inspection.first_position)

    def coordinate(self, axis: Axis) -> int | None:
        """The selected index of an axis; None when nothing in it is selected."""
        own = {"position": self.row, "key": self.key, "absolute": self.absolute}
        if axis.kind in own:
            return own[axis.kind]
        number: int | None = getattr(self.selection, axis.kind)
        return number

    def boxes(self, info: TensorInfo) -> list[Box]:
        """What is highlighted in a tensor: whole rows and columns, and in a pattern those of the selected head."""
        here = self.selection.layer is None or info.layer == self.selection.layer
        whole: list[tuple[int, int]] = [(0, size) for size in info.shape]
        pattern = len(info.shape) == 3
        if pattern and self.selection.layer is not None and not here:
            return []
        if pattern and self.selection.head is not None:
            head = self.selection.head
            if head >= info.shape[0]:
                return []
            whole[0] = (head, head + 1)
        found: list[Box] = []
        for at, axis in enumerate(info.axes):
            chosen = self.coordinate(axis)
            if chosen is None or not (here or axis.kind in _EVERYWHERE):
                continue
            if pattern and axis.kind == "head" and (self.row is not None or self.key is not None):
                continue  # its rows and columns are enough
            found += [(*whole[:at], part, *whole[at + 1 :]) for part in axis.ranges(chosen, info.shape[at])]
        return found


def tensors_of(state: State, target: Target) -> frozenset[str]:
    """Names of the tensors in which something is highlighted."""
    element = target.selection.element
    names = {info.name for info in state.inspection.tensors.values() if target.boxes(info)}
    return frozenset(names | ({element.name} if element is not None else set()))


def map_rectangles(info: TensorInfo, boxes: list[Box], layout: MapLayout) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of boxes of a tensor on Map, in units; none when Map does not have the tensor."""
    placement = layout.placements.get(info.name)
    if placement is None:
        return []
    found: list[tuple[int, int, int, int]] = []
    for box in boxes:
        if len(box) == 1:
            found += _rectangles(placement, (0, 1), box[0])
        elif len(box) == 2:
            found += _rectangles(placement, box[0], box[1])
        else:
            # The rows of a pattern are those of all heads, with space for the whole context in each.
            for head in range(*box[0]):
                first = head * layout.context
                stop = first + min(box[1][1], layout.context)
                found += _rectangles(placement, (first + box[1][0], stop), box[2])
    return found


def _rectangles(
    placement: Placement, rows: tuple[int, int], columns: tuple[int, int]
) -> list[tuple[int, int, int, int]]:
    """The rectangles that a range of rows and columns takes, one for each band that it crosses."""
    found = []
    row_end, column_end = min(rows[1], placement.rows), min(columns[1], placement.columns)
    row = rows[0]
    while row < row_end:
        high = min(placement.band_rows - row % placement.band_rows, row_end - row)
        column = columns[0]
        while column < column_end:
            wide = min(placement.band_columns - column % placement.band_columns, column_end - column)
            corner = placement.cell_of(row, column)
            found.append((*corner, wide * placement.cell_width, high * placement.cell_height))
            column += wide
        row += high
    return found


def strip_runs(info: TensorInfo, boxes: list[Box], span: Span) -> list[tuple[int, int]]:
    """First and last cell, counted from the span's first, of each run of cells of Strip that shows part of the boxes.

    Boxes that nearly every cell shows a part of are left out: they would highlight the whole tensor.
    """
    return _runs(tuple(boxes), info.shape, span.cells, span.values)


@functools.lru_cache(maxsize=512)  # the tensors of all blocks have the same shapes
def _runs(boxes: tuple[Box, ...], shape: tuple[int, ...], cells: int, values: int) -> list[tuple[int, int]]:
    changes = np.zeros(cells + 1, np.int64)  # +1 where a run of cells begins, -1 after its last one
    for box in boxes:
        inner = box[-1][1] - box[-1][0]
        if inner < shape[-1] and values / cells > shape[-1] / 2:
            continue
        starts = np.zeros(1, np.int64)
        for (start, stop), size in zip(box[:-1], shape[:-1], strict=True):
            starts = (starts[:, None] * size + np.arange(start, stop)).reshape(-1)
        starts = starts * shape[-1] + box[-1][0]
        np.add.at(changes, _cells_of(starts, cells, values), 1)
        np.add.at(changes, _cells_of(starts + inner - 1, cells, values) + 1, -1)
    lit = np.concatenate(([False], np.cumsum(changes) > 0))
    edges = np.flatnonzero(np.diff(lit.astype(np.int8)))
    return [(int(start), int(end) - 1) for start, end in edges.reshape(-1, 2)]


def _cells_of(indices: np.ndarray, cells: int, values: int) -> np.ndarray:
    """As `Span.cell_of`, for many indices, int64."""
    found: np.ndarray = np.minimum(indices, cells - 1)
    if cells not in (values, 1):
        sampled = np.maximum(((indices + 1) * (cells - 1) - 1) // (values - 1), 0)
        found = np.where(indices >= values - 1, cells - 1, sampled)
    return found
