"""A NumPy model of Map: the plane with every value in its cell, and pictures of views of it."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.map_view import MapView, axis
from compute.weights.checkpoint import WeightSource

from .gpu import read_tensor
from .strip_model import colors

GROUND: np.ndarray = np.rint(np.array((0.0235, 0.0353, 0.0549)) * 255)
_NEAR = 1 - 1e-6  # ratio above which two brightnesses are equal, except for the rounding of float32 quotients
KEPT: np.ndarray = np.rint(np.array((0.043, 0.055, 0.078)) * 255)


class Plane:
    """Values by unit: `keys` uint32 (0: no cell, 1: not filled), `owners` int (0: no tensor), `peaks` by owner.

    `keys` and `peaks` of the logits are those of their distances from their mean. `written` float32 has the values
    themselves.
    """

    def __init__(self, engine: Engine, source: WeightSource, layout: MapLayout) -> None:
        self.layout = layout
        self.keys = np.zeros((layout.height, layout.width), np.uint32)
        self.owners = np.zeros((layout.height, layout.width), np.int64)
        self.written = np.zeros((layout.height, layout.width), np.float32)
        self.peaks = np.zeros(len(layout.placements) + 1)
        self._sizes = sorted({(p.cell_width, p.cell_height) for p in layout.placements.values()})
        self._size_of = {size: number for number, size in enumerate(self._sizes)}
        self._cells = np.full((layout.height, layout.width), -1, np.int8)  # index of the size of the cell, -1: none
        self._known: tuple[bytes, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] | None = None
        shown = [tensor for tensor in engine.registry if tensor.name in layout.placements]
        for number, tensor in enumerate(shown):
            if tensor.kind == "weight":
                values = np.asarray(source.tensor(tensor.name)).astype(np.float32)
            else:
                values = read_tensor(engine, tensor.name)
            placement = layout.placements[tensor.name]
            if tensor.heads:
                # The layout has a full context of rows per head; the filled ones come first.
                matrix: np.ndarray = np.zeros((tensor.heads, layout.context, layout.context), np.float32)
                present: np.ndarray = np.zeros(matrix.shape, bool)
                rows = values.shape[1]
                matrix[:, :rows, :rows], present[:, :rows, :rows] = values, True
                matrix, present = matrix.reshape(-1, layout.context), present.reshape(-1, layout.context)
            else:
                values = values.reshape(-1, values.shape[-1])
                matrix = np.zeros((placement.rows, placement.columns), np.float32)
                present = np.zeros(matrix.shape, bool)
                matrix[: len(values)], present[: len(values)] = values[:, : placement.columns], True
            own = matrix
            if tensor.is_logits:
                matrix = (matrix - finite_mean(matrix)).astype(np.float32)
            self._place(placement, number + 1, np.where(present, keys(matrix), np.uint32(1)), own)
            finite = np.abs(matrix[present & np.isfinite(matrix)])
            self.peaks[number + 1] = max(finite.max(initial=0.0), 1e-12)

    def _place(self, placement: Placement, owner: int, shown: np.ndarray, values: np.ndarray) -> None:
        wide, high = placement.cell_width, placement.cell_height
        for row in range(placement.rows):
            for first in range(0, placement.columns, placement.band_columns):
                x, y = placement.cell_of(row, first)
                part = shown[row, first : first + placement.band_columns].repeat(wide)
                under = slice(y, y + high), slice(x, x + len(part))
                self.keys[under], self.owners[under] = part, owner
                self.written[under] = values[row, first : first + placement.band_columns].repeat(wide)
                self._cells[under] = self._size_of[wide, high]

    def picture(self, view: MapView, width: int, height: int, block: int) -> np.ndarray:
        """float [height, width, 3] from 0 to 255; NaN where a pixel shows a non-finite value.

        It is infinite where two tensors have equally extreme values, either of which may be shown.
        """
        ranks, color_of, positive, negative = self._ranked()
        rank, plus, minus = (np.zeros((height, width), values.dtype) for values in (ranks, positive, negative))
        unders = []
        # Without blocks, each tensor is painted by its own cells.
        for number, (wide, high) in enumerate(self._sizes if block == 1 else [(block, block)]):
            across = axis(view.x / wide, view.scale / wide, width, self.layout.width // wide, 1)
            down = axis(view.y / high, view.scale / high, height, self.layout.height // high, 1)
            if block != 1:
                across = axis(view.x, view.scale, width, self.layout.width, block)
                down = axis(view.y, view.scale, height, self.layout.height, block)
            rows, columns = down[:, :2] * high, across[:, :2] * wide
            mine = self._cells == number if block == 1 else self._cells >= 0
            unders.append((rows, columns, mine))
            for whole, values in ((rank, ranks), (plus, positive), (minus, negative)):
                part = _largest(_largest(np.where(mine, values, 0), rows).T, columns).T
                np.maximum(whole, part, out=whole)
        image = color_of[rank]
        # Where values of both signs are close, the color may depend on their tensors.
        for y, x in np.argwhere(
            (plus > 0) & (minus > 0) & (np.minimum(plus, minus) >= _NEAR * np.maximum(plus, minus))
        ):
            found = [(slice(*rows[y]), slice(*columns[x]), mine) for rows, columns, mine in unders]
            shown = np.concatenate([np.where(mine[r, c], self.keys[r, c], 0).ravel() for r, c, mine in found])
            owners = np.concatenate([self.owners[r, c].ravel() for r, c, _ in found])
            image[y, x] = self._color(shown, owners)
        painted: np.ndarray = image
        return painted

    def borders(self, view: MapView, width: int, height: int, least: float) -> np.ndarray:
        """The pixels in the first row or column of a cell that is larger than `least` pixels: bool [height, width]."""
        found = np.zeros((height, width), bool)
        for number, (wide, high) in enumerate(self._sizes):
            if min(wide, high) / view.scale <= least:
                continue
            across = axis(view.x / wide, view.scale / wide, width, self.layout.width // wide, 1)
            down = axis(view.y / high, view.scale / high, height, self.layout.height // high, 1)
            columns = np.minimum(across[:, 0] * wide, self.layout.width - 1)
            rows = np.minimum(down[:, 0] * high, self.layout.height - 1)
            first = (across[None, :, 2] == 0) | (down[:, None, 2] == 0)
            found |= first & (self._cells[rows[:, None], columns] == number)
        return found

    def _color(self, shown: np.ndarray, owners: np.ndarray) -> np.ndarray:
        present = shown > 1
        if not present.any():
            return KEPT if shown.any() else GROUND
        values, owner = decoded(shown[present]).astype(np.float64), owners[present]
        if not np.isfinite(values).all():
            return np.full(3, np.nan)
        shares = np.abs(values) / self.peaks[owner]
        best = np.lexsort((shown[present], shares))[-1]
        rivals = (shares >= shares[best] * _NEAR) & (owner != owner[best])
        if (values[rivals] * values[best] < 0).any():
            return np.full(3, np.inf)
        color: np.ndarray = np.rint(colors(values[best : best + 1], self.peaks[owner[best]])[0] * 255)
        return color

    def _ranked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(rank of each cell, color of each rank, brightness of positive values, brightness of negative values).

        A pixel shows the cell of the highest rank under it. Brightness is relative to the tensor's peak, 0 for the
        other sign. Colors are [ranks, 3], the others [height, width].
        """
        peaks = self.peaks.tobytes()
        if self._known is None or self._known[0] != peaks:
            present = self.keys > 1
            shown, peak = self.keys[present], self.peaks[self.owners[present]]
            values = decoded(shown).astype(np.float64)
            finite = np.isfinite(values)
            share = np.abs(np.where(finite, values, 0)) / peak
            order = np.lexsort((shown, share, ~finite))
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(2, len(order) + 2)
            ranks = (self.keys > 0).astype(np.int64)  # 0: no cell, 1: not filled
            ranks[present] = rank
            color = np.rint(colors(values, peak) * 255)
            color[~finite] = np.nan
            signed = np.zeros((2, *ranks.shape))
            signed[0][present], signed[1][present] = share * (values > 0), share * (values < 0)
            self._known = peaks, (ranks, np.concatenate([[GROUND, KEPT], color[order]]), *signed)
        return self._known[1]


def _largest(values: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """For each i, the largest of rows `ranges[i, 0]` to `ranges[i, 1]` of values [n, m]; 0 where there are none."""
    low, high = int(ranges.min()), int(ranges.max())
    used = values[low:high]
    padding = np.zeros((high - low + 1 - len(used), values.shape[1]), values.dtype)
    # reduceat also reduces the ranges between pairs; only every other result is used.
    largest = np.maximum.reduceat(np.concatenate([used, padding]), (ranges - low).ravel())[::2]
    return np.where((ranges[:, 0] < ranges[:, 1])[:, None], largest, values.dtype.type(0))


def finite_mean(values: np.ndarray) -> float:
    """The mean of the finite values, in float64; 0 when there are none."""
    finite = values[np.isfinite(values)].astype(np.float64)
    return float(finite.mean()) if finite.size else 0.0


def keys(values: np.ndarray) -> np.ndarray:
    """Keys that sort float32 values by magnitude, +x above -x and NaN above everything."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    turned = (bits << np.uint32(1)) | (np.uint32(1) - (bits >> np.uint32(31)))
    result: np.ndarray = np.clip(turned, 1, 0xFFFFFFFE).astype(np.uint32) + np.uint32(1)
    return result


def decoded(of: np.ndarray) -> np.ndarray:
    """The values with these keys."""
    of = of - np.uint32(1)
    bits = (of >> np.uint32(1)) | ((np.uint32(1) - (of & np.uint32(1))) << np.uint32(31))
    return bits.astype(np.uint32).view(np.float32)
