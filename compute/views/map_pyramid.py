"""Map's pyramid: the most extreme value of each block of the plane, for the whole plane, in one texture on the GPU.

Weights are added once, activations whenever there are new rows. The blocks of its levels are 1, 2, 4 and 8 times `base`
units wide; a tile of `grid` units is a block of the coarsest level. See wgsl/map/common/tile.wgsl.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.forward.program import resource
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor

from .map_layout import TILE_BLOCKS, MapLayout
from .map_placement import Placement
from .map_weights import BLOCK_COST, tiles_of, weight_blocks, weight_cost
from .patterns import PatternStore

LEVELS = 4
_THREADS = 64  # per workgroup, one per tile


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


def pyramid_bytes(layout: MapLayout) -> int:
    """GPU memory of a `MapPyramid` in bytes, including its table of owners."""
    blocks = (layout.width // layout.base) * (layout.height // layout.base)
    return 4 * (blocks + blocks // 2) + 2 * (layout.width // layout.grid) * (layout.height // layout.grid)


@dataclasses.dataclass
class _Live:
    """The tensors in one buffer that passes change, with their table on the GPU."""

    tensors: list[Tensor]
    entries: wgpu.GPUBuffer
    dispatch: Dispatch


class MapPyramid:
    """Keeps `texture` (r32uint) and `peaks`, each tensor's largest magnitude, up to date with the latest pass.

    Of the logits, both contain distances from their mean. `center` is four floats: the mean, the largest distance, and
    padding.
    """

    def __init__(self, engine: PassTensors, layout: MapLayout, patterns: PatternStore) -> None:
        """Allocates. Submit all work of `opening` before anything else."""
        self._engine, self.layout, self._patterns = engine, layout, patterns
        device = engine.device
        self.width, self.height = layout.width // layout.base, layout.height // layout.base
        usage = wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_SRC
        size = (self.width, self.height + self.height // 2, 1)
        self.texture = device.create_texture(label="map pyramid", size=size, format="r32uint", usage=usage)
        self.slots = {name: slot for slot, name in enumerate(layout.placements)}
        self.owners = self._make_owners()
        words = -(-(len(self.slots) + 1) // 4) * 4
        self.peaks = device.create_buffer(
            label="map peaks", size=4 * words, usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.UNIFORM
        )
        self.center = device.create_buffer(
            label="map center", size=16,
            usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_SRC,
        )  # fmt: skip
        self._centering = self._center_dispatch()
        self._sources: list[_Live] = []
        self._pattern_entries = {
            tensor.name: self._entries_buffer(1 + layout.placements[tensor.name].bands) for tensor in patterns.tensors
        }
        self._pattern_work: dict[tuple[str, int], Dispatch] = {}  # by tensor and buffer
        self._measuring: list[Dispatch] = []  # work for the peaks after new rows
        self._seen = (-1, 0)  # epoch, rows

    def opening(self, most: float) -> Iterator[tuple[Dispatch, str, float]]:
        """Add the weights and mark the cells of future rows: (dispatch, stage, progress), to submit in this order.

        The dispatches are created lazily; progress, 0 to 1, is that of the stage after the dispatch. most: approximate
        limit for the cost of a dispatch, in values read.
        """
        registry, layout = self._engine.registry, self.layout
        shown = [tensor for tensor in registry if tensor.name in layout.placements]
        fixed = [tensor for tensor in shown if tensor.kind == "weight"]
        live = [tensor for tensor in shown if tensor.kind != "weight"]
        cost, whole = 0.0, sum(weight_cost(layout, tensor) for tensor in fixed)
        peaks = self._peak_dispatch(fixed)
        yield peaks, "weights", 0.0  # the first use fills the texture with zeros, which takes a while
        for tensor in fixed:
            placement = layout.placements[tensor.name]
            words = placement_words(placement, *filled_extent(tensor, placement, 0))
            for work in weight_blocks(self._engine, layout, self.texture, tensor, words, most):
                cost += work.cost
                yield work, "weights", cost / whole
        yield peaks, "weights", 1.0
        buffers = list(_by_buffer(tensor for tensor in live if tensor.kept))
        done, total = 0, len(buffers) + len(self._patterns.tensors)
        yield self._centering, "activations", 0.0
        for group in buffers:
            done += 1
            yield self._make_source(group), "activations", done / total
        for tensor in self._patterns.tensors:
            done += 1
            yield self._free_pattern(tensor), "activations", done / total
        self._measuring = [
            self._peak_dispatch([tensor for tensor in live if not tensor.is_logits]),
            self._engine.kernels.get("strip/peak_all", tensors=len(self.slots)).dispatch(
                (1, 1, 1), {"peaks": self.peaks}
            ),
        ]
        # This also creates the pipelines for the first rows. The extra row does no harm.
        made = [work for tensor in self._patterns.tensors[:1] for work in self._patterns.rows(tensor, 0, 1)[1]]
        self._patterns.invalidate()
        for work in (*made, *self._measuring):
            yield work, "activations", 1.0

    # -- geometry

    def corner(self, level: int) -> tuple[int, int]:
        """The corner of a level in the texture."""
        return (0, 0) if level == 0 else (self.width - (self.width >> (level - 1)), self.height)

    def _make_owners(self) -> wgpu.GPUTexture:
        grid, device = self.layout.grid, self._engine.device
        owners = np.zeros((self.layout.height // grid, self.layout.width // grid), np.uint16)
        for name, placement in self.layout.placements.items():
            (x, y), (wide, high) = (placement.x // grid, placement.y // grid), tiles_of(placement, grid)
            owners[y : y + high, x : x + wide] = 1 + self.slots[name]
        high, wide = owners.shape
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
        texture = device.create_texture(label="map owners", size=(wide, high, 1), format="r16uint", usage=usage)
        device.queue.write_texture({"texture": texture}, owners, {"bytes_per_row": 2 * wide}, (wide, high, 1))
        return texture

    # -- work for the texture

    def _entries_buffer(self, count: int) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        return self._engine.device.create_buffer(label="map entries", size=96 * count, usage=usage)

    def _make_source(self, tensors: list[Tensor]) -> Dispatch:
        """Add the tensors of one buffer to the sources. The dispatch marks their cells as not filled."""
        buffer = tensors[0].storage.shards[0].resource
        assert isinstance(buffer, wgpu.GPUBuffer)
        wide = all(tensor.columns % 4 == 0 for tensor in tensors)
        entries = self._entries_buffer(len(tensors))
        centered = tensors[0].is_logits  # which are alone in their buffer
        source = _Live(tensors, entries, self._live_dispatch(buffer, entries, wide=wide, centered=centered))
        self._sources.append(source)
        return self._live_work(source, 0, 0, self.layout.context)

    def _free_pattern(self, tensor: Tensor) -> Dispatch:
        return self._pattern(tensor, self._patterns.rows(tensor, 0, 0)[0], 0, 0, self.layout.context)

    def _live_dispatch(
        self, values: wgpu.GPUBuffer, entries: wgpu.GPUBuffer, *, wide: bool, centered: bool = False
    ) -> Dispatch:
        kernel = self._engine.kernels.get("map/live_blocks", wide=wide, base=self.layout.base, centered=centered)
        bound: dict[str, Resource] = {"entries": entries, "values": values, "pyramid": self.texture}
        return kernel.dispatch((1, 1, 1), bound | ({"center": self.center} if centered else {}))

    def _center_dispatch(self) -> Dispatch:
        """The dispatch that updates `center` and the peak of the logits."""
        logits = self._engine.registry[self._engine.registry.description.head.output]
        vocabulary, slot = self._engine.config.vocabulary, self.slots[logits.name]
        kernel = self._engine.kernels.get("map/center", count=vocabulary, slot=slot)
        values = resource(logits.storage.shards[0])
        bound: dict[str, Resource] = {"values": values, "center": self.center, "peaks": self.peaks}
        return kernel.dispatch((1, 1, 1), bound)

    def _live_work(self, source: _Live, rows: int, first: int, end: int) -> Dispatch:
        """The dispatch that adds rows `first` to `end` of the tensors in a buffer, when the context has `rows` rows."""
        entries = [
            self._entry(tensor, tensor.storage.shards[0].offset // 4, tensor.columns, rows, first, end)
            for tensor in source.tensors
        ]
        self._engine.device.queue.write_buffer(source.entries, 0, np.asarray(entries, np.uint32))
        return _sized(source.dispatch, entries)

    def _pattern(self, tensor: Tensor, buffer: wgpu.GPUBuffer, rows: int, first: int, end: int) -> Dispatch:
        """Like `_live_work`, for a pattern in `buffer`, whose earlier rows get new columns as well."""
        entry = self._entry(tensor, 0, self._patterns.stride, rows, first, end)
        source, last = entry[:-6], entry[-2]
        columns = self._column_tiles(tensor, first, end)
        entries = [entry, *([*source, wide, y, high, 1, last, x] for x, y, wide, high in columns)]
        target = self._pattern_entries[tensor.name]
        self._engine.device.queue.write_buffer(target, 0, np.asarray(entries, np.uint32))
        key = (tensor.name, id(buffer))
        if key not in self._pattern_work:
            self._pattern_work[key] = self._live_dispatch(buffer, target, wide=True)
        return _sized(self._pattern_work[key], entries)

    def _column_tiles(self, tensor: Tensor, first: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Tiles with columns `first` to `end` above those with row `first`: x, y, width and height for each band."""
        placement, grid = self.layout.placements[tensor.name], self.layout.grid
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

    def _needed_rows(self, tensor: Tensor, first: int) -> int:
        """The first row of a pattern with values in the tiles that row and column `first` change: later ones are 0."""
        placement, grid = self.layout.placements[tensor.name], self.layout.grid
        down, across = grid // placement.cell_height, grid // placement.cell_width  # values in a tile
        return first - max(first % down, first % placement.band_columns % across)

    def _entry(self, tensor: Tensor, offset: int, stride: int, rows: int, first: int, end: int) -> list[int]:
        """The words of the entry that adds rows `first` to `end` of each line of bands."""
        placement, grid = self.layout.placements[tensor.name], self.layout.grid
        last = placement.columns
        wide = -(-placement.width // grid)
        if tensor.rows is None:
            first_tile, lines = first * placement.cell_height // grid, placement.lines
            down = max(0, -(-end * placement.cell_height // grid) - first_tile)
        else:  # logits: one row in lines without gaps, which form a matrix whose last row may be incomplete
            high, count, stride = placement.height, placement.lines, placement.band_columns
            last -= (count - 1) * stride
            placement = dataclasses.replace(placement, rows=count, columns=stride, band_rows=count, pitch_y=high)
            first_tile, lines, down = 0, 1, -(-high // grid)
        words = placement_words(placement, *filled_extent(tensor, placement, rows))
        return [*words, offset, stride, wide, first_tile, down, lines, last, 0]

    def _peak_dispatch(self, tensors: list[Tensor]) -> Dispatch:
        grid, placements = self.layout.grid, self.layout.placements
        boxes = [
            [placement.x // grid, placement.y // grid, *tiles_of(placement, grid), self.slots[placement.name], 0, 0, 0]
            for placement in (placements[tensor.name] for tensor in tensors)
        ]
        table = self._engine.device.create_buffer_with_data(
            data=np.asarray(boxes, np.uint32), usage=wgpu.BufferUsage.STORAGE
        )
        return self._engine.kernels.get("map/peaks").dispatch(
            (len(boxes), 1, 1), {"boxes": table, "pyramid": self.texture, "peaks": self.peaks}
        )

    # -- passes

    def update(self) -> list[Dispatch]:
        """The dispatches that add the rows since the last call; empty when there are none."""
        epoch, rows = self._engine.epoch, min(self._engine.registry.rows, self.layout.context)
        before, known = self._seen
        if (epoch, rows) == self._seen:
            return []
        same = before == epoch and known <= rows
        first, end = (known if same else 0), max(rows, known)
        self._seen = (epoch, rows)
        if not same:
            self._patterns.invalidate()
        work = [self._centering, *(self._live_work(source, rows, first, end) for source in self._sources)]
        for tensor in self._patterns.tensors:
            # A tile also needs its older rows, which are recomputed if another layer has used the buffer.
            start = first if self._patterns.has_all_rows(tensor) else self._needed_rows(tensor, first)
            buffer, made = self._patterns.rows(tensor, start, rows)
            work += [*made, self._pattern(tensor, buffer, rows, first, end)]
        return [*work, *self._measuring]


def _by_buffer(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    groups: dict[int, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(id(tensor.storage.shards[0].resource), []).append(tensor)
    return groups.values()


def _sized(dispatch: Dispatch, entries: list[list[int]]) -> Dispatch:
    """`dispatch` with workgroups for as many tiles as the largest of `entries` has."""
    tiles = max(wide * down * lines for *_, wide, _first, down, lines, _, _ in entries)
    cost = tiles * len(entries) * TILE_BLOCKS**2 * BLOCK_COST
    return dataclasses.replace(dispatch, groups=(max(1, -(-tiles // _THREADS)), len(entries), 1), cost=cost)
