"""The table of what the map's kernels read of tensors that passes change, for all of them in one buffer.

A pass changes a few words of each entry, so these are computed for all entries at once and written together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import wgpu

from compute.models.registry import Tensor

from .map_layout import MapLayout
from .map_placement import Placement

_WORDS = 24  # of `Entry` in wgsl/map/live_blocks.wgsl
_FILLED, _TILES_X, _FIRST_TILE, _TILES_Y, _LINES = 10, 18, 19, 20, 21  # words of it
_ALIGNMENT = 8  # entries: a binding begins at a multiple of 256 bytes, and these take 768


def placement_words(placement: Placement, filled_rows: int, filled_columns: int) -> list[int]:
    """The words of `Placement` in wgsl/map/common/placement.wgsl."""
    return [
        placement.x, placement.y, placement.rows, placement.columns,
        placement.band_rows, placement.band_columns, placement.across,
        placement.pitch_x, placement.pitch_y, placement.over, filled_rows, filled_columns,
        placement.cell_width.bit_length() - 1, placement.cell_height.bit_length() - 1, 0, 0,
    ]  # fmt: skip


def filled_extent(tensor: Tensor, placement: Placement, rows: int) -> tuple[int, int]:
    """(rows of a band, columns) that are filled when the context has `rows` tokens."""
    if tensor.heads:
        return rows, rows
    return (rows if tensor.rows is None else placement.band_rows), placement.columns


class MapEntries:
    """Entries of groups of tensors, and of attention patterns.

    A pattern is a group of its own: its rows, and then, for each band, the tiles above them that get new columns.
    """

    def __init__(
        self,
        device: wgpu.GPUDevice,
        layout: MapLayout,
        groups: Sequence[Sequence[Tensor]],
        patterns: Sequence[Tensor],
        stride: int,
    ) -> None:
        """stride: elements from one row of a pattern to the next."""
        self._device, self._layout = device, layout
        self._first: list[int] = []  # entry of each group; those of patterns follow
        entries: list[list[int]] = []
        fixed: list[bool] = []  # does not depend on the rows of the context
        heights: list[int] = []  # of a cell, in units
        for tensors in [*groups, *([tensor] for tensor in patterns)]:
            self._first.append(len(entries))
            for tensor in tensors:
                placement = layout.packed_placement(tensor.name)
                at, elements = (0, stride) if tensor.heads else (tensor.storage.shards[0].offset // 4, tensor.columns)
                entries.append(_entry(layout, tensor, placement, at, elements))
                fixed.append(tensor.rows is not None)
                heights.append(placement.cell_height)
                bands = placement.bands if tensor.heads else 0
                padding = bands + -(len(entries) + bands) % _ALIGNMENT if tensor is tensors[-1] else bands
                entries += [[0] * _WORDS] * padding
                fixed += [True] * padding
                heights += [1] * padding
        self._groups = len(groups)
        self._table = np.array(entries, np.uint32).reshape(-1, _WORDS)
        self._live = np.flatnonzero(~np.array(fixed, bool))
        self._heights = np.array(heights)[self._live]
        is_pattern = np.zeros(len(entries), bool)
        is_pattern[self._first[self._groups :]] = True
        self._heads = np.flatnonzero(is_pattern)
        self._counts = [len(tensors) for tensors in groups] + [1] * len(patterns)
        self._alike = list(_by_shape(layout, patterns))
        self._grids: list[tuple[int, int]] = []  # see `grid`
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        self._buffer = device.create_buffer(label="map entries", size=max(1, self._table.nbytes), usage=usage)

    def binding(self, group: int) -> tuple[wgpu.GPUBuffer, int, int]:
        """Where the entries of a group are."""
        first = self._first[group]
        end = self._first[group + 1] if group + 1 < len(self._first) else len(self._table)
        return self._buffer, 4 * _WORDS * first, 4 * _WORDS * (end - first)

    def pattern(self, index: int) -> int:
        """The group of the pattern of that index."""
        return self._groups + index

    def write(self, rows: int, first: int, end: int) -> None:
        """Describe rows `first` to `end` of each line of bands, for a context of `rows` rows, to later submissions."""
        table, live, grid = self._table, self._live, self._layout.grid
        first_tile = first * self._heights // grid
        table[live, _FILLED] = rows
        table[self._heads, _FILLED + 1] = rows
        table[live, _FIRST_TILE] = first_tile
        table[live, _TILES_Y] = np.maximum(0, -(-end * self._heights // grid) - first_tile)
        for placement, indices in self._alike:
            tiles = np.array(list(_column_tiles(placement, grid, first, end)), np.uint32).reshape(-1, 4)
            at = np.array([self._first[self._groups + index] for index in indices])
            added = at[:, np.newaxis] + 1 + np.arange(len(tiles))
            table[added] = table[at][:, np.newaxis]
            table[added, _TILES_X], table[added, _FIRST_TILE] = tiles[:, 2], tiles[:, 1]
            table[added, _TILES_Y], table[added, _LINES] = tiles[:, 3], 1
            table[added, -1] = tiles[:, 0]
            for index in indices:
                self._counts[self._groups + index] = 1 + len(tiles)
        tiles_of_entries = table[:, _TILES_X] * table[:, _TILES_Y] * table[:, _LINES]
        self._grids = [
            (int(tiles_of_entries[first : first + count].max()), count)
            for first, count in zip(self._first, self._counts, strict=True)
        ]
        self._device.queue.write_buffer(self._buffer, 0, table)

    def grid(self, group: int) -> tuple[int, int]:
        """(tiles of the largest entry of a group, entries), after `write`."""
        return self._grids[group]


def _by_shape(layout: MapLayout, patterns: Sequence[Tensor]) -> Iterable[tuple[Placement, list[int]]]:
    """The indices of patterns with the same shape, usually those of all layers, and the placement of one of them."""
    alike: dict[tuple[int, ...], tuple[Placement, list[int]]] = {}
    for index, tensor in enumerate(patterns):
        placement = layout.placements[tensor.name]
        shape = (placement.bands, placement.band_columns, placement.across, placement.pitch_x, placement.pitch_y)
        alike.setdefault(shape, (placement, []))[1].append(index)
    return alike.values()


def _entry(layout: MapLayout, tensor: Tensor, placement: Placement, offset: int, stride: int) -> list[int]:
    """The words of an entry for no rows."""
    last, lines, down = placement.columns, placement.lines, 0
    wide = -(-placement.width // layout.grid)
    if tensor.rows is not None:  # logits: one row in lines without gaps: a matrix whose last row may be incomplete
        high, count, stride = placement.height, placement.lines, placement.band_columns
        last -= (count - 1) * stride
        placement = dataclasses.replace(placement, rows=count, columns=stride, band_rows=count, pitch_y=high)
        lines, down = 1, -(-high // layout.grid)
    return [
        *placement_words(placement, *filled_extent(tensor, placement, 0)),
        offset,
        stride,
        wide,
        0,
        down,
        lines,
        last,
        0,
    ]


def _column_tiles(placement: Placement, grid: int, first: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Tiles with columns `first` to `end` above those with row `first`: x, y, width and height for each band."""
    above = first * placement.cell_height // grid
    if not above:
        return
    for band in range(placement.bands):
        start = band % placement.over * placement.band_columns
        low, high = max(first, start), min(end, start + placement.band_columns)
        if low < high:
            corner = band % placement.across * placement.pitch_x
            left = (corner + (low - start) * placement.cell_width) // grid
            right = -(-(corner + (high - start) * placement.cell_width) // grid)
            yield left, band // placement.across * placement.pitch_y // grid, right - left, above
