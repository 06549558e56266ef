"""The visible part of Map and the cells under each pixel: plain arithmetic in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MapView:
    """The cell coordinates of the picture's top left corner, and the size of a pixel in cells."""

    x: float
    y: float
    scale: float

    def cell_at(self, px: float, py: float) -> tuple[float, float]:
        """The cell coordinates of the pixel coordinates (px, py)."""
        return self.x + px * self.scale, self.y + py * self.scale

    def pixel_at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel coordinates of the cell coordinates (x, y)."""
        return (x - self.x) / self.scale, (y - self.y) / self.scale


def axis(start: float, scale: float, pixels: int, end: int, block: int, first: int = 0) -> np.ndarray:
    """The blocks of `block` cells under each pixel of one axis, from pixel `first` on: int64 [pixels, 4].

    Columns: the first block, the block after the last, the index of the pixel within its block, and the block's size in
    pixels. A pixel at least as large as a block shows the blocks whose center it contains, so each block is in exactly
    one pixel. A smaller pixel shows the block that contains the pixel's center. There are no blocks below 0 or from
    `end` cells on.
    """
    step = scale / block
    table = np.zeros((pixels, 4), np.int64)
    if step >= 1:
        edges = np.ceil((start + (first + np.arange(pixels + 1)) * scale) / block - 0.5).astype(np.int64)
        table[:, 0], table[:, 1], table[:, 3] = edges[:-1], edges[1:], 1
    else:
        positions = first + np.arange(pixels)
        cells = np.floor((start + (positions + 0.5) * scale) / block).astype(np.int64)
        left, right = (np.ceil((edge * block - start) / scale - 0.5).astype(np.int64) for edge in (cells, cells + 1))
        table[:, 0], table[:, 1] = cells, cells + 1
        table[:, 2], table[:, 3] = positions - left, right - left
    table[:, :2] = np.clip(table[:, :2], 0, -(-end // block))
    return table


def level_of(scale: float, base: int, levels: int) -> int | None:
    """The pyramid level with the largest blocks that are no larger than a pixel; None if only cells are that small."""
    if scale < base:
        return None
    return min(int(math.log2(scale / base)), levels - 1)


def pixels_of(table: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """The first pixel, and the pixel after the last, that contain cells from `start` to `end`. table: see `axis`."""
    first = int(np.searchsorted(table[:, 1], start, side="right"))
    last = int(np.searchsorted(table[:, 0], end, side="left"))
    return first, max(first, last)
