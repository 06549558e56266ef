"""Which cells are under each column and row of pixels of a picture of Map, for every size of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from .map_layout import MapLayout
from .map_placement import Placement
from .map_view import MapView, axis, pixels_of

Direction = Literal["across", "down"]


def cell_sizes(layout: MapLayout) -> tuple[tuple[Direction, int], ...]:
    """The sizes of magnified cells in a layout, in units, by direction."""
    across = {placement.cell_width for placement in layout.placements.values()} - {1}
    down = {placement.cell_height for placement in layout.placements.values()} - {1}
    return (*(("across", size) for size in sorted(across)), *(("down", size) for size in sorted(down)))


class Axes:
    """The tables of `map_view.axis` for a picture: for blocks of units, and for each size of magnified cells."""

    def __init__(
        self,
        view: MapView,
        width: int,
        height: int,
        layout: MapLayout,
        block: int,
        top: int,
        sizes: Sequence[tuple[Direction, int]],
    ) -> None:
        """width, height: of the picture; top: its first row of pixels; block: see `axis`."""
        self.view = view
        self._tables: dict[tuple[Direction, int], np.ndarray] = {
            ("across", 1): axis(view.x, view.scale, width, layout.width, block),
            ("down", 1): axis(view.y, view.scale, height, layout.height, block, top),
        }
        for direction, size in sizes:
            scale = view.scale / size
            if direction == "across":
                made = axis(view.x / size, scale, width, layout.width // size, 1)
            else:
                made = axis(view.y / size, scale, height, layout.height // size, 1, top)
            self._tables[direction, size] = made
        self._rows = {key: row for row, key in enumerate(self._tables)}

    def visible(self, boxes: np.ndarray) -> np.ndarray:
        """Which boxes [n, (left, top, right, bottom)], in units, the picture shows a part of."""
        across, down = self._tables["across", 1], self._tables["down", 1]
        lefts, tops, rights, bottoms = boxes.T
        shown: np.ndarray = (
            (rights > across[0, 0]) & (lefts < across[-1, 1]) & (bottoms > down[0, 0]) & (tops < down[-1, 1])
        )
        return shown

    def block_pixels(self, boxes: np.ndarray, block: int) -> np.ndarray:
        """Left, top, right and bottom [n, 4] of the pixels that show blocks of the boxes, given as for `visible`.

        block: the size of a block in units, as given to `axis`.
        """
        across, down = self._tables["across", 1], self._tables["down", 1]
        lefts, tops = boxes[:, 0] // block, boxes[:, 1] // block
        rights, bottoms = -(-boxes[:, 2] // block), -(-boxes[:, 3] // block)
        return np.stack(
            [
                np.searchsorted(across[:, 1], lefts, side="right"),
                np.searchsorted(down[:, 1], tops, side="right"),
                np.searchsorted(across[:, 0], rights, side="left"),
                np.searchsorted(down[:, 0], bottoms, side="left"),
            ],
            axis=1,
        )

    def rows(self, placement: Placement) -> tuple[int, int]:
        """The rows of `table` for the cells of a tensor, across and down."""
        return self._rows["across", placement.cell_width], self._rows["down", placement.cell_height]

    def pixels(self, placement: Placement) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the pixels that show cells of a tensor."""
        cells = placement.in_cells()
        across, down = self._tables["across", placement.cell_width], self._tables["down", placement.cell_height]
        left, right = pixels_of(across, cells.x, cells.x + cells.width)
        top, bottom = pixels_of(down, cells.y, cells.y + cells.height)
        return left, top, right, bottom

    def table(self) -> np.ndarray:
        """All tables, short ones padded with zeros: uint32 [tables, pixels, 4]."""
        whole = np.zeros((len(self._tables), max(map(len, self._tables.values())), 4), np.uint32)
        for row, made in zip(whole, self._tables.values(), strict=True):
            row[: len(made)] = made
        return whole
