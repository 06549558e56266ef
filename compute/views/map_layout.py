"""The layout of Map: the cell of each value, as a pure function of the registry's shapes and the rows of the context.

The plane is measured in cells; a cell is one value. (0, 0) is top left, and y goes down. A tensor is a rectangle of its
[rows, columns]; a long one is folded into bands. Everything starts at a multiple of `grid` cells, with a gap of at
least `grid` / 2 cells between bands, so no tile of grid x grid cells contains values of two tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from compute.errors import UsageError
from compute.models.registry import Registry, Tensor

from .map_blocks import BLOCKS, EMBEDDING, HEAD, Down, Part, Spread
from .map_placement import Placement

ASPECT = 16 / 9
_NEAR = 1.2  # aspect ratios within this factor are equally good
TILE_BLOCKS = 8  # width and height of a tile in blocks of the pyramid's finest level
_MARGIN = 1 / 48  # of the plane's side: space around the parts of the model, for their titles
_BASES = (
    (48e6, 2),
    (400e6, 4),
    (math.inf, 8),
    (math.inf, 16),
)  # (maximum cells of a map, width of its finest blocks in cells)

_TEXTURE = 16384  # texels, the largest texture size of all adapters


@dataclass(frozen=True)
class Region:
    """A titled part of the model on Map: a rectangle in cells."""

    title: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class MapLayout:
    """Every tensor's placement by name, in the registry's order, with `context` rows for activations."""

    placements: Mapping[str, Placement]
    regions: tuple[Region, ...]
    width: int  # cells
    height: int
    grid: int  # width and height of a tile, in cells
    context: int

    @property
    def base(self) -> int:
        """Width and height in cells of a block of the pyramid's finest level."""
        return self.grid // TILE_BLOCKS

    def cell_of(self, name: str, row: int, column: int) -> tuple[int, int]:
        """The cell of a value. Raises `KeyError` for a tensor that is not on Map."""
        return self.placements[name].cell_of(row, column)

    def cell_at(self, x: int, y: int) -> tuple[str, int, int] | None:
        """(tensor, row, column) of the value at cell (x, y); None where there is no value."""
        for name, placement in self.placements.items():
            if 0 <= x - placement.x < placement.width and 0 <= y - placement.y < placement.height:
                index = placement.value_at(x, y)
                return None if index is None else (name, *index)
        return None


def map_layout(registry: Registry, context: int, *, base: int | None = None) -> MapLayout:
    """Lay out the whole registry with `context` rows for activations.

    base: width of the finest blocks in cells, a power of two; None chooses it by the number of cells. Raises
    `UsageError` when the pyramid would exceed the largest texture.
    """
    cells = sum(math.prod(_shape(tensor, context)) for tensor in registry)
    bases = [wide for most, wide in _BASES if cells <= most] if base is None else [base]
    for wide in bases:
        arranger = _Arranger(registry, context, wide * TILE_BLOCKS, math.sqrt(cells * ASPECT))
        layers = registry.config.layers
        best = min(
            ((arrangement, lines) for arrangement in BLOCKS for lines in range(1, layers + 1)),
            key=lambda option: arranger.penalty(*option),
        )
        layout = arranger.layout(*best)
        if max(layout.width, layout.height * 3 // 2) <= wide * _TEXTURE:
            return layout
    raise UsageError(f"a map of {cells:.3g} values with {context} rows is too large: use a shorter --context")


def _shape(tensor: Tensor, context: int) -> tuple[int, int]:
    """Rows and columns on Map."""
    if tensor.heads:
        return tensor.heads * context, context
    return (context if tensor.rows is None else tensor.rows), tensor.columns


class _Arranger:
    """Arranges parts of the model on a plane whose side is about `side` cells."""

    def __init__(self, registry: Registry, context: int, grid: int, side: float) -> None:
        self._registry, self._context, self._grid = registry, context, grid
        self._channels = registry.config.channels
        self._unit = self._after(self._channels)
        self._margin = self._after(int(side * _MARGIN))
        self.placements: dict[str, Placement] = {}

    def _after(self, size: int) -> int:
        """The offset of whatever follows something of `size` cells: `size` and a gap, on the grid."""
        return -(-(size + self._grid // 2) // self._grid) * self._grid

    # -- one part

    def draw(self, part: Part, prefix: str, x: int, y: int) -> tuple[int, int]:
        """Place a part with its corner at (x, y). Returns its width and height in cells, including the gap after it."""
        if isinstance(part, str):
            return self._place(prefix + part, x, y, None)
        if isinstance(part, Spread):
            return self._place(prefix + part.name, x, y, part.units)
        width = height = 0
        for inner in part.parts:
            if isinstance(part, Down):
                wide, high = self.draw(inner, prefix, x, y + height)
                width, height = max(width, wide), height + high
            else:
                wide, high = self.draw(inner, prefix, x + width, y)
                width, height = width + wide, max(height, high)
        return width, height

    def _place(self, name: str, x: int, y: int, units: int | None) -> tuple[int, int]:
        if name not in self._registry:  # without tracing, there are no activations
            return 0, 0
        tensor = self._registry[name]
        rows, columns = _shape(tensor, self._context)
        channels = self._channels
        band_rows, band_columns = rows, columns
        if tensor.heads:
            band_rows = self._context
        elif columns > channels:
            band_columns = channels
        elif rows > channels and tensor.rows is not None and name.startswith("h."):
            band_rows = channels
        placement = self._folded(name, x, y, (rows, columns), (band_rows, band_columns), units)
        return self._after(placement.width), self._after(placement.height)

    def _folded(
        self, name: str, x: int, y: int, shape: tuple[int, int], band: tuple[int, int], units: int | None
    ) -> Placement:
        pitch_x, pitch_y = self._after(band[1]), self._after(band[0])
        bands = -(-shape[0] // band[0]) * -(-shape[1] // band[1])
        across = bands
        if units is not None:
            across = max(1, units * self._unit // pitch_x)
        elif shape[0] == 1 and name == "logits":
            across, pitch_y = 1, 1  # bands below each other; within one tensor they need no gaps
        placement = Placement(name, x, y, *shape, *band, across, pitch_x, pitch_y)
        self.placements[name] = placement
        return placement

    # -- the whole map

    def penalty(self, arrangement: Part, lines: int) -> float:
        """A penalty that grows with the area, and steeply when the aspect ratio is not near ASPECT."""
        width, height, *_ = self._measure(arrangement, lines)
        off = abs(math.log(width / height / ASPECT))
        return math.log(width * height) + 8 * max(0.0, off - math.log(_NEAR))

    def _measure(self, arrangement: Part, lines: int) -> tuple[int, int, int, int, int]:
        """(width, height, width of `wte`, width and height of a block with its margin)."""
        layers = self._registry.config.layers
        wide, high = (size + self._margin for size in self.draw(arrangement, "h.0.", 0, 0))
        embedding, head = (self.draw(part, "", 0, 0) for part in (EMBEDDING, HEAD))
        height = max(lines * high, embedding[1] + self._margin, head[1] + self._margin)
        table, _ = self._draw_table(0, 0, height - self._margin)
        width = table + embedding[0] + head[0] + -(-layers // lines) * wide + 3 * self._margin
        return width, height + self._margin, table, wide, high

    def _draw_table(self, x: int, y: int, height: int) -> tuple[int, int]:
        """Place `wte`, folded into the fewest bands of equal height that fit `height`."""
        tensor = self._registry["wte"]
        rows, columns = _shape(tensor, self._context)
        first = tensor.storage.shards[0].rows
        high = max(1, height - self._grid)
        if first < rows:  # a band must not contain values of two buffers
            cuts = [cut for cut in range(1, first + 1) if first % cut == 0 and first // cut <= high]
            band_rows = first // cuts[0]
        else:
            band_rows = -(-rows // -(-rows // high))
        placement = self._folded("wte", x, y, (rows, columns), (band_rows, columns), None)
        return self._after(placement.width), self._after(placement.height)

    def layout(self, arrangement: Part, lines: int) -> MapLayout:
        """The layout with this arrangement of blocks, in this many lines."""
        registry, margin = self._registry, self._margin
        width, height, table, wide, high = self._measure(arrangement, lines)
        layers = registry.config.layers
        per_line = -(-layers // lines)
        x, y = margin, margin
        inner = height - 2 * margin
        regions = []
        self._draw_table(x, y, inner)
        taken = self.draw(EMBEDDING, "", x + table, y)
        regions.append(Region("embedding", x, y, table + taken[0], inner))
        x += table + taken[0] + margin
        for layer in range(layers):
            line, slot = divmod(layer, per_line)
            left, top = x + slot * wide, y + line * high
            box = self.draw(arrangement, f"h.{layer}.", left, top)
            regions.append(Region(f"h.{layer}", left, top, *box))
        x += per_line * wide
        taken = self.draw(HEAD, "", x, y)
        regions.append(Region("head", x, y, taken[0], inner))
        ordered = {tensor.name: self.placements[tensor.name] for tensor in registry}
        return MapLayout(ordered, tuple(regions), width, height, self._grid, self._context)
