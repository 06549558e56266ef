"""Map's pyramid: the most extreme value of each block of the plane, for the whole plane, in one texture on the GPU.

Weights are added once, activations whenever there are new rows. The blocks of its levels are 1, 2, 4 and 8 times `base`
units wide; a tile of `grid` units is a block of the coarsest level. See wgsl/map/common/tile.wgsl. The texture
has only the tiles of tensors, packed closely (`MapLayout.packing`), because most of the plane is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.forward.program import resource
from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor

from .map_entries import MapEntries, filled_extent, placement_words
from .map_layout import TILE_BLOCKS, MapLayout
from .map_placement import tiles_of
from .map_weights import BLOCK_COST, weight_blocks, weight_cost
from .patterns import PatternStore

LEVELS = 4
_THREADS = 64  # per workgroup, which makes a tile together, or one each on software adapters


def pyramid_bytes(layout: MapLayout) -> int:
    """GPU memory of a `MapPyramid` in bytes, including its table of owners."""
    blocks = layout.packing.width * layout.packing.height * TILE_BLOCKS**2
    return 4 * (blocks + blocks // 2) + 8 * (layout.width // layout.grid) * (layout.height // layout.grid)


def tiles_together(adapter: wgpu.GPUAdapter) -> bool:
    """True where a workgroup makes a tile of activations, false where a thread does."""
    return not is_software(adapter)


class MapPyramid:
    """Keeps `texture` (r32uint) and `peaks`, each tensor's largest magnitude, up to date with the latest pass.

    Of the logits, both contain distances from their mean. `center` is four floats: the mean, the largest distance, and
    padding.
    """

    def __init__(self, engine: PassTensors, layout: MapLayout, patterns: PatternStore) -> None:
        """Allocates. Submit all work of `opening` before anything else."""
        self._engine, self.layout, self._patterns = engine, layout, patterns
        device = engine.device
        self._together = tiles_together(device.adapter)
        self.width, self.height = TILE_BLOCKS * layout.packing.width, TILE_BLOCKS * layout.packing.height
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
        shown = [tensor for tensor in engine.registry if tensor.name in layout.placements]
        self._weights = [tensor for tensor in shown if tensor.kind == "weight"]
        self._live = [tensor for tensor in shown if tensor.kind != "weight"]
        # What passes change, by the buffer that contains it. Patterns have buffers of their own.
        self._groups = list(_by_buffer(tensor for tensor in self._live if tensor.kept))
        self._entries = MapEntries(device, layout, self._groups, patterns.tensors, patterns.stride)
        self._sources: list[Dispatch] = []  # by group
        self._pattern_work: dict[tuple[int, int], Dispatch] = {}  # by group and buffer
        self._measuring: list[Dispatch] = []  # work for the peaks after new rows
        self._seen = (-1, 0)  # epoch, rows

    def opening(self, most: float) -> Iterator[tuple[Dispatch, str, float]]:
        """Add the weights and mark the cells of future rows: (dispatch, stage, progress), to submit in this order.

        The dispatches are created lazily; progress, 0 to 1, is that of the stage after the dispatch. most: approximate
        limit for the cost of a dispatch, in values read.
        """
        layout, fixed = self.layout, self._weights
        cost, whole = 0.0, sum(weight_cost(layout, tensor) for tensor in fixed)
        peaks = self._peak_dispatch(fixed)
        yield peaks, "weights", 0.0  # the first use fills the texture with zeros, which takes a while
        for tensor in fixed:
            placement = layout.packed_placement(tensor.name)
            words = placement_words(placement, *filled_extent(tensor, placement, 0))
            for work in weight_blocks(self._engine, layout, self.texture, tensor, words, most):
                cost += work.cost
                yield work, "weights", cost / whole
        yield peaks, "weights", 1.0
        total = len(self._groups) + len(self._patterns.tensors)
        yield self._centering, "activations", 0.0
        self._entries.write(0, 0, layout.context)  # marks all cells as not filled
        for group, tensors in enumerate(self._groups):
            self._sources.append(self._source(group, tensors))
            yield self._sized(self._sources[group], group), "activations", (1 + group) / total
        for index, tensor in enumerate(self._patterns.tensors):
            group = self._entries.pattern(index)
            buffer, _ = self._patterns.rows(tensor, 0, 0)
            yield self._pattern(group, buffer), "activations", (1 + group) / total
        self._measuring = [
            self._peak_dispatch([tensor for tensor in self._live if not tensor.is_logits]),
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
        owners = np.zeros((self.layout.height // grid, self.layout.width // grid, 4), np.uint16)
        for name, placement in self.layout.placements.items():
            (x, y), (wide, high) = (placement.x // grid, placement.y // grid), tiles_of(placement, grid)
            left, top = self.layout.packing.corners[name]
            tiles = owners[y : y + high, x : x + wide]
            tiles[..., 0] = 1 + self.slots[name]
            tiles[..., 1], tiles[..., 2] = left + np.arange(wide), top + np.arange(high)[:, np.newaxis]
        high, wide, _ = owners.shape
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
        texture = device.create_texture(label="map owners", size=(wide, high, 1), format="rgba16uint", usage=usage)
        device.queue.write_texture({"texture": texture}, owners, {"bytes_per_row": 8 * wide}, (wide, high, 1))
        return texture

    # -- work for the texture

    def _source(self, group: int, tensors: list[Tensor]) -> Dispatch:
        """The dispatch that adds rows of the tensors in a buffer."""
        buffer = tensors[0].storage.shards[0].resource
        assert isinstance(buffer, wgpu.GPUBuffer)
        wide = all(tensor.columns % 4 == 0 for tensor in tensors)
        centered = tensors[0].is_logits  # which are alone in their buffer
        return self._live_dispatch(buffer, self._entries.binding(group), wide=wide, centered=centered)

    def _pattern(self, group: int, buffer: wgpu.GPUBuffer) -> Dispatch:
        """Like `_source`, for a pattern in `buffer`, whose earlier rows get new columns as well."""
        key = (group, id(buffer))
        if key not in self._pattern_work:
            self._pattern_work[key] = self._live_dispatch(buffer, self._entries.binding(group), wide=True)
        return self._sized(self._pattern_work[key], group)

    def _sized(self, dispatch: Dispatch, group: int) -> Dispatch:
        """`dispatch` with workgroups for as many tiles as the largest entry of the group has."""
        tiles, count = self._entries.grid(group)
        cost = tiles * count * TILE_BLOCKS**2 * BLOCK_COST
        groups = tiles if self._together else -(-tiles // _THREADS)
        return dispatch.over((max(1, groups), count, 1), cost)

    def _live_dispatch(
        self, values: wgpu.GPUBuffer, entries: Resource, *, wide: bool, centered: bool = False
    ) -> Dispatch:
        kernel = self._engine.kernels.get(
            "map/live_blocks", wide=wide, base=self.layout.base, centered=centered, together=self._together
        )
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

    def _needed_rows(self, tensor: Tensor, first: int) -> int:
        """The first row of a pattern with values in the tiles that row and column `first` change: later ones are 0."""
        placement, grid = self.layout.placements[tensor.name], self.layout.grid
        down, across = grid // placement.cell_height, grid // placement.cell_width  # values in a tile
        return first - max(first % down, first % placement.band_columns % across)

    def _peak_dispatch(self, tensors: list[Tensor]) -> Dispatch:
        grid, placements, corners = self.layout.grid, self.layout.placements, self.layout.packing.corners
        boxes = [
            [*corners[name], *tiles_of(placements[name], grid), self.slots[name], 0, 0, 0]
            for name in (tensor.name for tensor in tensors)
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
        self._entries.write(rows, first, end)
        work = [self._centering, *(self._sized(source, group) for group, source in enumerate(self._sources))]
        with self._patterns.together():
            for index, tensor in enumerate(self._patterns.tensors):
                # A tile also needs its older rows, which are recomputed if another layer has used the buffer.
                start = first if self._patterns.has_all_rows(tensor) else self._needed_rows(tensor, first)
                buffer, made = self._patterns.rows(tensor, start, rows)
                work += [*made, self._pattern(self._entries.pattern(index), buffer)]
        return [*work, *self._measuring]


def _by_buffer(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    groups: dict[int, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(id(tensor.storage.shards[0].resource), []).append(tensor)
    return groups.values()
