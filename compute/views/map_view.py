"""Which part of the map is seen, and which cells lie under each pixel: plain arithmetic, in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MapView:
    """The cell coordinates of the picture's top left corner, and how many cells a pixel is wide and high."""

    x: float
    y: float
    scale: float

    def cell_at(self, px: float, py: float) -> tuple[float, float]:
        """The place in cells under the place (px, py) of the picture in pixels."""
        return self.x + px * self.scale, self.y + py * self.scale

    def pixel_at(self, x: float, y: float) -> tuple[float, float]:
        """The place in the picture, in pixels, of the place (x, y) in cells."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale


def axis(start: float, scale: float, pixels: int, end: int, block: int, first: int = 0) -> np.ndarray:
    """What lies under each pixel from `first` on of one axis, int64 [pixels, 4], with blocks of `block` cells.

    Columns: the first block, the block after the last, which pixel of its cell this one is, and how many the cell has.
    A pixel of a block or more shows the blocks whose middle lies in it, so that each block is in exactly one pixel; a
    smaller one shows the block that its own middle is in. Beyond 0 and `end` cells there are none.
    """
    step = scale / block
    found = np.zeros((pixels, 4), np.int64)
    if step >= 1:
        edges = np.ceil((start + (first + np.arange(pixels + 1)) * scale) / block - 0.5).astype(np.int64)
        found[:, 0], found[:, 1], found[:, 3] = edges[:-1], edges[1:], 1
    else:
        positions = first + np.arange(pixels)
        cells = np.floor((start + (positions + 0.5) * scale) / block).astype(np.int64)
        left, right = (np.ceil((edge * block - start) / scale - 0.5).astype(np.int64) for edge in (cells, cells + 1))
        found[:, 0], found[:, 1] = cells, cells + 1
        found[:, 2], found[:, 3] = positions - left, right - left
    found[:, :2] = np.clip(found[:, :2], 0, -(-end // block))
    return found


def level_of(scale: float, base: int, levels: int) -> int | None:
    """The level of the pyramid whose blocks are the largest not larger than a pixel; None: look at the cells."""
    if scale < base:
        return None
    return min(int(math.log2(scale / base)), levels - 1)


def pixels_of(table: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """First pixel, and pixel after the last, in which a cell from `start` to `end` lies; `table`: see `axis`."""
    first = int(np.searchsorted(table[:, 1], start, side="right"))
    last = int(np.searchsorted(table[:, 0], end, side="left"))
    return first, max(first, last)
