"""The map in NumPy: the plane with every value in its cell, and the pictures that views of it are."""

from __future__ import annotations

import numpy as np

from ..checkpoint import WeightSource
from ..engine import Engine
from ..map_layout import MapLayout
from ..map_view import MapView, axis
from .gpu import read_tensor
from .strip_model import colours

GROUND: np.ndarray = np.rint(np.array((0.0235, 0.0353, 0.0549)) * 255)
_ROUNDING = 1e-6  # of float32 quotients
KEPT: np.ndarray = np.rint(np.array((0.043, 0.055, 0.078)) * 255)


class Plane:
    """Values by cell: `keys` uint32 (0: no cell, 1: free), `owners` int (0: no tensor), `peaks` by owner."""

    def __init__(self, engine: Engine, source: WeightSource, layout: MapLayout) -> None:
        self.layout = layout
        self.keys = np.zeros((layout.height, layout.width), np.uint32)
        self.owners = np.zeros((layout.height, layout.width), np.int64)
        self.peaks = np.zeros(len(layout.placements) + 1)
        for number, tensor in enumerate(engine.registry):
            if tensor.family == "weight":
                values = np.asarray(source.tensor(tensor.name)).astype(np.float32)
            else:
                values = read_tensor(engine, tensor.name)
            place = layout.placements[tensor.name]
            if tensor.heads:
                # Rows of the layout are window by window, those that there are in front.
                matrix: np.ndarray = np.zeros((tensor.heads, layout.window, layout.window), np.float32)
                present: np.ndarray = np.zeros(matrix.shape, bool)
                rows = values.shape[1]
                matrix[:, :rows, :rows], present[:, :rows, :rows] = values, True
                matrix, present = matrix.reshape(-1, layout.window), present.reshape(-1, layout.window)
            else:
                values = values.reshape(-1, values.shape[-1])
                matrix = np.zeros((place.rows, place.columns), np.float32)
                present = np.zeros(matrix.shape, bool)
                matrix[: len(values)], present[: len(values)] = values, True
            for row in range(place.rows):
                for first in range(0, place.columns, place.band_columns):
                    x, y = place.cell_of(row, first)
                    part = slice(first, min(first + place.band_columns, place.columns))
                    run = slice(x, x + part.stop - first)
                    self.keys[y, run] = np.where(present[row, part], keys(matrix[row, part]), 1)
                    self.owners[y, run] = number + 1
            finite = np.abs(matrix[present & np.isfinite(matrix)])
            self.peaks[number + 1] = max(finite.max(initial=0.0), 1e-12)

    def picture(self, view: MapView, width: int, height: int, block: int) -> np.ndarray:
        """float [height, width, 3] in 0 to 255; NaN where a value shown is not finite.

        It is infinite where two tensors have values as extreme as each other, of which either may be shown.
        """
        across = axis(view.x, view.scale, width, self.layout.width, block)
        down = axis(view.y, view.scale, height, self.layout.height, block)
        image = np.empty((height, width, 3))
        for py in range(height):
            for px in range(width):
                rows = slice(down[py, 0] * block, down[py, 1] * block)
                columns = slice(across[px, 0] * block, across[px, 1] * block)
                image[py, px] = self._colour(self.keys[rows, columns], self.owners[rows, columns])
        return image

    def _colour(self, shown: np.ndarray, owners: np.ndarray) -> np.ndarray:
        present = shown > 1
        if not present.any():
            return KEPT if shown.any() else GROUND
        values, owner = decoded(shown[present]).astype(np.float64), owners[present]
        if not np.isfinite(values).all():
            return np.full(3, np.nan)
        shares = np.abs(values) / self.peaks[owner]
        best = np.lexsort((shown[present], shares))[-1]
        rivals = (shares >= shares[best] * (1 - _ROUNDING)) & (owner != owner[best])
        if (values[rivals] * values[best] < 0).any():
            return np.full(3, np.inf)
        colour: np.ndarray = np.rint(colours(values[best : best + 1], self.peaks[owner[best]])[0] * 255)
        return colour


def keys(values: np.ndarray) -> np.ndarray:
    """Keys that order float32 values by magnitude, the positive one of two opposites above, NaN above all."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    turned = (bits << np.uint32(1)) | (np.uint32(1) - (bits >> np.uint32(31)))
    found: np.ndarray = np.clip(turned, 1, 0xFFFFFFFE).astype(np.uint32) + np.uint32(1)
    return found


def decoded(of: np.ndarray) -> np.ndarray:
    """The values that have these keys."""
    of = of - np.uint32(1)
    bits = (of >> np.uint32(1)) | ((np.uint32(1) - (of & np.uint32(1))) << np.uint32(31))
    return bits.astype(np.uint32).view(np.float32)
