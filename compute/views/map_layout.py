"""The layout of Map: the cell of each value, as a pure function of the registry's shapes and the rows of the context.

The plane is measured in units. (0, 0) is top left, and y goes down. A tensor is a rectangle of its [rows, columns]; a
long one is folded into bands. A value of a matrix takes one unit. Vectors, and the activations and patterns of a short
context, have larger cells: their area hardly changes while the text grows. Everything starts at a multiple of `grid`
units, with a gap of at least `grid` / 2 units between bands, so no tile of grid x grid units contains values of two
tensors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from compute.errors import UsageError, option
from compute.models.names import block_title
from compute.models.registry import Registry, Tensor

from .map_blocks import Down, Outside, Part, Plan, Spread, Stage, plan
from .map_packing import Packing, packed
from .map_placement import Placement, tiles_of

ASPECT = 16 / 9
_NEAR = 1.2  # aspect ratios within this factor are equally good
TILE_BLOCKS = 8  # width and height of a tile in blocks of the pyramid's finest level
_MARGIN = 1 / 15  # of the plane's side: space around the parts of the model, for their titles
_BASES = (
    (48e6, 2),
    (400e6, 4),
    (math.inf, 8),
    (math.inf, 16),
)  # (maximum cells of a map, width of its finest blocks in cells)

_TEXTURE = 16384  # texels, the largest texture size of all adapters
# Fractions of the channels: space above a tensor for its name and above a stage for its caption, the least height of a
# vector, and the height of an activation.
_NAME, _CAPTION, _VECTOR, _ACTIVATION = 0.19, 0.6, 1 / 24, 1 / 3


@dataclass(frozen=True)
class Region:
    """A titled part of the model on Map: a rectangle in units."""

    title: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class MapLayout:
    """Every tensor's placement by name, in the registry's order, with `context` rows for activations.

    regions: the embedding, the blocks and the head. stages: parts of blocks. Above a region are `margin` units for its
    title, above a stage `caption` units and above other tensors at least `name` units. Tables with a row per token of
    the vocabulary may be left out.
    """

    placements: Mapping[str, Placement]
    regions: tuple[Region, ...]
    stages: tuple[Region, ...]
    width: int  # units
    height: int
    grid: int  # width and height of a tile, in units
    context: int
    margin: int  # units
    caption: int
    name: int

    @property
    def base(self) -> int:
        """Width and height in units of a block of the pyramid's finest level."""
        return self.grid // TILE_BLOCKS

    @functools.cached_property
    def packing(self) -> Packing:
        """Where the pyramid keeps the tiles of each tensor."""
        return packed({name: tiles_of(placement, self.grid) for name, placement in self.placements.items()})

    def packed_placement(self, name: str) -> Placement:
        """The placement of a tensor with its corner where the pyramid keeps it."""
        x, y = self.packing.corners[name]
        return replace(self.placements[name], x=x * self.grid, y=y * self.grid)

    def cell_of(self, name: str, row: int, column: int) -> tuple[int, int]:
        """The top left corner of a value's cell. Raises `KeyError` for a tensor that is not on Map."""
        return self.placements[name].cell_of(row, column)

    def cell_at(self, x: int, y: int) -> tuple[str, int, int] | None:
        """(tensor, row, column) of the value at unit (x, y); None where there is no value."""
        for name, placement in self.placements.items():
            if 0 <= x - placement.x < placement.width and 0 <= y - placement.y < placement.height:
                index = placement.value_at(x, y)
                return None if index is None else (name, *index)
        return None


def map_layout(registry: Registry, context: int, *, base: int | None = None, tables: bool = True) -> MapLayout:
    """Lay out the whole registry with `context` rows for activations.

    base: width of the finest blocks in units, a power of two; None chooses it by the number of values. tables: False
    leaves out the tables with a row per token of the vocabulary. Raises `UsageError` when the pyramid would exceed the
    largest texture.
    """
    left_out = () if tables else registry.description.token_tables
    cells = sum(math.prod(_shape(registry, tensor, context)) for tensor in registry if tensor.name not in left_out)
    bases = [wide for most, wide in _BASES if cells <= most] if base is None else [base]
    arrangements = plan(registry.description)
    for wide in bases:
        arranger = _Arranger(registry, context, arrangements, wide * TILE_BLOCKS, math.sqrt(cells * ASPECT), tables)
        layout = arranger.best()
        if max(layout.width, layout.height * 3 // 2) <= wide * _TEXTURE:
            return layout
    raise UsageError(f"a map of {cells:.3g} values with {context} rows is too large: use a shorter {option('context')}")


def _shape(registry: Registry, tensor: Tensor, context: int) -> tuple[int, int]:
    """Rows and columns on Map. The logits are those of tokens, without the padding of the vocabulary."""
    if tensor.heads:
        return tensor.heads * context, context
    if tensor.is_logits:
        return 1, registry.config.vocabulary
    return (context if tensor.rows is None else tensor.rows), tensor.columns


@dataclass(frozen=True)
class _Size:
    """Width and height of the whole map, and of the largest block with its margin."""

    width: int
    height: int
    block_width: int
    block_height: int


class _Arranger:
    """Arranges parts of the model on a plane whose side is about `side` units."""

    def __init__(
        self, registry: Registry, context: int, arrangements: Plan, grid: int, side: float, tables: bool
    ) -> None:
        self._registry, self._context, self._grid = registry, context, grid
        self._channels = registry.config.channels
        self._plan = arrangements
        self._unit = self._after(self._channels)
        self._margin = self._after(int(min(side * _MARGIN, 1.5 * self._channels)))
        self._caption = self._on_grid(self._channels * _CAPTION)
        self._name = max(grid // 2, round(self._channels * _NAME))
        self.placements: dict[str, Placement] = {}
        self._stages: list[Region] = []
        ends = (arrangements.embedding, arrangements.head)
        self._tables = [end.table for end in ends if end.table is not None] if tables else []
        rests = [self._draw(end.rest, 0, 0) for end in ends]
        self._rests_width, self._rests_height = sum(width for width, _ in rests), max(height for _, height in rests)

    def _after(self, size: int) -> int:
        """The offset of whatever is beside something of `size` units: `size` and a gap, on the grid."""
        return self._on_grid(size + self._grid // 2)

    def _below(self, size: int) -> int:
        """The offset of whatever is below something of `size` units: `size` and space for a name, on the grid."""
        return self._on_grid(size + self._name)

    def _on_grid(self, size: float) -> int:
        return math.ceil(size / self._grid) * self._grid

    def _magnified(self, count: int, size: float) -> int:
        """The largest size of a cell, in units, with which `count` cells take at most `size` units; at least 1."""
        cell = 1
        while 2 * cell * count <= size and 2 * cell <= self._grid:
            cell *= 2
        return cell

    # -- one part

    def _draw(self, part: Part, x: int, y: int) -> tuple[int, int]:
        """Place a part with its corner at (x, y). Returns its width and height in units, including the gap after it."""
        if isinstance(part, str):
            return self._place(part, x, y, None)
        if isinstance(part, Spread):
            return self._place(part.name, x, y, part.units)
        if isinstance(part, Stage):
            width, height = self._draw(part.part, x, y + self._caption)
            self._stages.append(Region(part.title, x, y + self._caption, width, height))
            return width, height + self._caption
        width = height = 0
        for inner in part.parts:
            if isinstance(part, Down):
                wide, high = self._draw(inner, x, y + height)
                width, height = max(width, wide), height + high
            else:
                wide, high = self._draw(inner, x + width, y)
                width, height = width + wide, max(height, high)
        return width, height

    def _place(self, name: str, x: int, y: int, units: int | None) -> tuple[int, int]:
        if name not in self._registry:  # without tracing, there are no activations
            return 0, 0
        tensor = self._registry[name]
        rows, columns = _shape(self._registry, tensor, self._context)
        channels = self._channels
        band_rows, band_columns = rows, columns
        if tensor.heads:
            band_rows = self._context
        elif tensor.is_logits:
            band_columns = min(columns, _line(columns))
        elif columns > channels:
            band_columns = channels
        elif rows > channels and tensor.rows is not None and self._in_block(name):
            band_rows = channels
        placement = self._folded(name, x, y, (rows, columns), (band_rows, band_columns), units)
        return self._after(placement.width), self._below(placement.height)

    def _in_block(self, name: str) -> bool:
        section = self._registry.description.section_of(name)
        return section is not None and section.block is not None

    def _folded(
        self, name: str, x: int, y: int, shape: tuple[int, int], band: tuple[int, int], units: int | None
    ) -> Placement:
        bands = -(-shape[0] // band[0]) * -(-shape[1] // band[1])
        cell_width, cell_height = self._cell(name, band, bands, units)
        pitch_x, pitch_y = self._after(band[1] * cell_width), self._after(band[0] * cell_height)
        across = bands
        if units is not None:
            lines = -(-bands // max(1, units * self._unit // pitch_x))
            across = -(-bands // lines)  # lines of the same length, as far as possible
        elif self._registry[name].is_logits:
            across, pitch_y = 1, cell_height  # bands below each other; within one tensor they need no gaps
        placement = Placement(name, x, y, *shape, *band, across, pitch_x, pitch_y, cell_width, cell_height)
        self.placements[name] = placement
        return placement

    def _cell(self, name: str, band: tuple[int, int], bands: int, units: int | None) -> tuple[int, int]:
        """Width and height of the cells of a tensor with `bands` bands of this many rows and columns."""
        tensor = self._registry[name]
        if tensor.heads and units is not None:
            # All heads side by side, as large as the width allows.
            width = units * self._unit / bands - self._grid
            cell = self._magnified(band[1], min(width, self._channels))
            return cell, cell
        if tensor.is_logits:
            cell = self._magnified(max(band[1], bands), self._channels)
            return cell, cell
        if tensor.heads:
            return 1, 1
        if tensor.rows is None:
            return 1, self._magnified(band[0], self._channels * _ACTIVATION)
        return 1, self._magnified(1, self._channels * _VECTOR) if band[0] == 1 else 1

    def _draw_outside(self, part: Outside, x: int, y: int, height: int) -> int:
        """Place a part outside the blocks, `height` units high, with its corner at (x, y). Returns its width."""
        table = 0 if part.table not in self._tables else self._draw_table(part.table, x, y, height)
        return table + self._draw(part.rest, x + table, y)[0]

    def _draw_table(self, name: str, x: int, y: int, height: int) -> int:
        """Place a table, folded into the fewest bands of equal height that fit `height`. Returns its width."""
        tensor = self._registry[name]
        rows, columns = _shape(self._registry, tensor, self._context)
        first = tensor.storage.shards[0].rows
        high = max(1, height - self._grid)
        if first < rows:  # a band must not contain values of two buffers
            cuts = [cut for cut in range(1, first + 1) if first % cut == 0 and first // cut <= high]
            band_rows = first // cuts[0]
        else:
            band_rows = -(-rows // -(-rows // high))
        return self._after(self._folded(name, x, y, (rows, columns), (band_rows, columns), None).width)

    # -- the whole map

    def best(self) -> MapLayout:
        """The layout with the least penalty, of every arrangement of the blocks in every number of lines."""
        options: list[tuple[tuple[Part, ...], int, _Size]] = []
        for blocks in self._plan.blocks:
            sizes = [self._draw(block, 0, 0) for block in blocks]
            wide, high = (max(size) + self._margin for size in zip(*sizes, strict=True))
            options += [
                (blocks, lines, self._size(len(blocks), lines, wide, high)) for lines in range(1, len(blocks) + 1)
            ]
        return self._layout(*min(options, key=lambda option: _penalty(option[2])))

    def _size(self, blocks: int, lines: int, wide: int, high: int) -> _Size:
        """The size of a map with so many blocks in so many lines; each block takes wide x high units."""
        height = max(lines * high, self._rests_height + self._margin)
        tables = sum(self._draw_table(name, 0, 0, height - self._margin) for name in self._tables)
        width = tables + self._rests_width + -(-blocks // lines) * wide + 3 * self._margin
        return _Size(width, height + self._margin, wide, high)

    def _layout(self, blocks: tuple[Part, ...], lines: int, size: _Size) -> MapLayout:
        """The layout of a map of this size with these blocks in this many lines."""
        margin, sections = self._margin, self._registry.description.sections
        self._stages.clear()
        per_line = -(-len(blocks) // lines)
        x, y = margin, margin
        inner = size.height - 2 * margin
        regions = []
        width = self._draw_outside(self._plan.embedding, x, y, inner)
        regions.append(Region(sections[0].title, x, y, width, inner))
        x += width + margin
        for number, block in enumerate(blocks):
            line, slot = divmod(number, per_line)
            left, top = x + slot * size.block_width, y + line * size.block_height
            regions.append(Region(block_title(number), left, top, *self._draw(block, left, top)))
        if self._plan.head.table in self._tables:
            x += per_line * size.block_width
        else:  # after the last block, where the residual stream ends
            x += (len(blocks) - (lines - 1) * per_line) * size.block_width
            y += min((lines - 1) * size.block_height, inner - self._draw(self._plan.head.rest, 0, 0)[1])
        width = self._draw_outside(self._plan.head, x, y, inner)
        regions.append(Region(sections[-1].title, x, y, width, margin + inner - y))
        shown = {name: self.placements[name] for tensor in self._registry if (name := tensor.name) in self.placements}
        return MapLayout(
            shown, tuple(regions), tuple(self._stages), size.width, size.height, self._grid, self._context,
            self._margin, self._caption, self._name,
        )  # fmt: skip


def _line(count: int) -> int:
    """The number of values per line with which `count` values fill about a square: a power of two, at least 4."""
    return 1 << max(2, round(math.log2(count) / 2))


def _penalty(size: _Size) -> float:
    """Grows with the area, and steeply when the aspect ratio is not near ASPECT."""
    off = abs(math.log(size.width / size.height / ASPECT))
    return math.log(size.width * size.height) + 8 * max(0.0, off - math.log(_NEAR))
