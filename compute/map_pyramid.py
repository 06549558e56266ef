"""The map's pyramid: the most extreme value of blocks of cells, for the whole plane, in one texture on the GPU.

Weights are taken in once, activations whenever there are new rows. Its levels have blocks of `base`, 2, 4 and 8 times
`base` cells; a tile of `grid` cells is a block of the coarsest. See wgsl/common/map_tile.wgsl.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import wgpu

from .engine import Engine
from .kernels import Resource
from .map_layout import MapLayout
from .map_placement import Placement
from .native import Dispatch
from .patterns import PatternStore
from .program import resource
from .registry import Tensor

LEVELS = 4
_THREADS = 64  # of a workgroup, one for each tile


def place_words(place: Placement, seen_rows: int, seen_columns: int) -> list[int]:
    """The words of `Place` in wgsl/common/map_place.wgsl."""
    return [
        place.x, place.y, place.rows, place.columns, place.band_rows, place.band_columns, place.across,
        place.pitch_x, place.pitch_y, place.over, seen_rows, seen_columns,
    ]  # fmt: skip


def seen(tensor: Tensor, place: Placement, rows: int) -> tuple[int, int]:
    """(rows of a band, columns) that hold values when the context has `rows` tokens."""
    if tensor.heads:
        return rows, rows
    return (rows if tensor.rows is None else place.band_rows), place.columns


@dataclasses.dataclass
class _Live:
    """Tensors of one buffer that passes change, with their table on the GPU."""

    tensors: list[Tensor]
    entries: wgpu.GPUBuffer
    dispatch: Dispatch


class MapPyramid:
    """Keeps `texture` (r32uint) following the registry's latest pass, and `peaks`, each tensor's largest magnitude."""

    def __init__(self, engine: Engine, layout: MapLayout, patterns: PatternStore) -> None:
        """Take the weights in: submitted, not waited for."""
        self._engine, self.layout, self._patterns = engine, layout, patterns
        device = engine.device
        self.width, self.height = layout.width // layout.base, layout.height // layout.base
        usage = wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_SRC
        size = (self.width, self.height + self.height // 2, 1)
        self.texture = device.create_texture(label="map pyramid", size=size, format="r32uint", usage=usage)
        self.slots = {name: slot for slot, name in enumerate(layout.placements)}
        self.owners = self._make_owners()
        self.nbytes = 4 * size[0] * size[1] + 2 * (layout.width // layout.grid) * (layout.height // layout.grid)
        words = -(-(len(self.slots) + 1) // 4) * 4
        self.peaks = device.create_buffer(
            label="map peaks", size=4 * words, usage=wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.UNIFORM
        )
        registry = engine.registry
        fixed = [tensor for tensor in registry if tensor.family == "weight"]
        live = [tensor for tensor in registry if tensor.family != "weight"]
        self._peaks = self._peak_dispatch(live)
        self._peak_all = engine.kernels.get("strip_peak_all", tensors=len(self.slots)).dispatch(
            (1, 1, 1), {"peaks": self.peaks}
        )
        self._live = self._make_sources([tensor for tensor in live if tensor.kept])
        self._pattern_entries = {tensor.name: self._entries_buffer(1) for tensor in patterns.tensors}
        self._pattern_work: dict[tuple[str, int], Dispatch] = {}  # by tensor and buffer
        self._seen = (-1, layout.window)  # epoch, rows: at first all rows are marked as free
        self.start = [work for tensor in fixed for work in self._weight_work(tensor)]
        self.start.append(self._peak_dispatch(fixed))

    # -- where things are

    def corner(self, level: int) -> tuple[int, int]:
        """Where a level begins in the texture."""
        return (0, 0) if level == 0 else (self.width - (self.width >> (level - 1)), self.height)

    def _make_owners(self) -> wgpu.GPUTexture:
        grid, device = self.layout.grid, self._engine.device
        owners = np.zeros((self.layout.height // grid, self.layout.width // grid), np.uint16)
        for name, place in self.layout.placements.items():
            x, y, wide, high = self._tiles(place)
            owners[y : y + high, x : x + wide] = 1 + self.slots[name]
        high, wide = owners.shape
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
        texture = device.create_texture(label="map owners", size=(wide, high, 1), format="r16uint", usage=usage)
        device.queue.write_texture({"texture": texture}, owners, {"bytes_per_row": 2 * wide}, (wide, high, 1))
        return texture

    def _tiles(self, place: Placement) -> tuple[int, int, int, int]:
        grid = self.layout.grid
        return place.x // grid, place.y // grid, -(-place.width // grid), -(-place.height // grid)

    # -- what the texture is made of

    def _tile_values(self) -> dict[str, int]:
        return {"base": self.layout.base, "width": self.width, "height": self.height}

    def _weight_work(self, tensor: Tensor) -> list[Dispatch]:
        place, storage = self.layout.placements[tensor.name], tensor.storage
        kernel = self._engine.kernels.get(
            "map_weight_blocks", columns=tensor.columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile,
            **self._tile_values(),
        )  # fmt: skip
        _, _, wide, high = self._tiles(place)
        work = []
        for piece in storage.pieces:
            # A vector's piece tells its values as rows.
            rows = 1 if tensor.vector else piece.rows
            words = [*place_words(place, *seen(tensor, place, 0)), piece.first_row, piece.first_row + rows, wide, high]
            params = self._engine.device.create_buffer_with_data(
                data=np.asarray(words, np.uint32), usage=wgpu.BufferUsage.UNIFORM
            )
            bound: dict[str, Resource] = {"params": params, "weight": resource(piece), "pyramid": self.texture}
            work.append(kernel.dispatch((-(-wide * high // _THREADS), 1, 1), bound, label=tensor.name))
        return work

    def _entries_buffer(self, count: int) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        return self._engine.device.create_buffer(label="map entries", size=80 * count, usage=usage)

    def _make_sources(self, tensors: list[Tensor]) -> list[_Live]:
        by_buffer: dict[int, list[Tensor]] = {}
        for tensor in tensors:
            by_buffer.setdefault(id(tensor.storage.pieces[0].resource), []).append(tensor)
        sources = []
        for group in by_buffer.values():
            buffer = group[0].storage.pieces[0].resource
            assert isinstance(buffer, wgpu.GPUBuffer)
            wide = all(tensor.columns % 4 == 0 for tensor in group)
            entries = self._entries_buffer(len(group))
            sources.append(_Live(group, entries, self._live_dispatch(buffer, entries, wide=wide)))
        return sources

    def _live_dispatch(self, values: wgpu.GPUBuffer, entries: wgpu.GPUBuffer, *, wide: bool) -> Dispatch:
        kernel = self._engine.kernels.get("map_live_blocks", wide=wide, **self._tile_values())
        return kernel.dispatch((1, 1, 1), {"entries": entries, "values": values, "pyramid": self.texture})

    def _entry(self, tensor: Tensor, offset: int, stride: int, rows: int, first: int, end: int) -> list[int]:
        """The words of an entry: rows `first` to `end` of each line of bands are to be taken in."""
        place, grid = self.layout.placements[tensor.name], self.layout.grid
        wide = -(-place.width // grid)
        if tensor.rows is None:
            first_tile, lines = first // grid, place.lines
            down = max(0, -(-end // grid) - first_tile)
        else:  # logits: lines of one row without gaps between
            first_tile, lines, down = 0, 1, -(-place.height // grid)
        words = place_words(place, *seen(tensor, place, rows))
        return [*words, offset, stride, wide, first_tile, down, lines, 0, 0]

    def _peak_dispatch(self, tensors: list[Tensor]) -> Dispatch:
        boxes = [
            [*self._tiles(self.layout.placements[tensor.name]), self.slots[tensor.name], 0, 0, 0] for tensor in tensors
        ]
        table = self._engine.device.create_buffer_with_data(
            data=np.asarray(boxes, np.uint32), usage=wgpu.BufferUsage.STORAGE
        )
        x, y = self.corner(LEVELS - 1)
        kernel = self._engine.kernels.get("map_peaks", corner_x=x, corner_y=y)
        return kernel.dispatch((len(boxes), 1, 1), {"boxes": table, "pyramid": self.texture, "peaks": self.peaks})

    # -- following the passes

    def update(self) -> list[Dispatch]:
        """What takes in the rows that are new since the last call; nothing when there are none."""
        epoch, rows = self._engine.epoch, min(self._engine.registry.rows, self.layout.window)
        before, known = self._seen
        if (epoch, rows) == self._seen:
            return []
        same = before == epoch and known <= rows
        first, end = (known if same else 0), max(rows, known)
        self._seen = (epoch, rows)
        if not same:
            self._patterns.forget()
        queue, work = self._engine.device.queue, []
        for source in self._live:
            entries = [
                self._entry(t, t.storage.pieces[0].offset // 4, t.columns, rows, first, end) for t in source.tensors
            ]
            queue.write_buffer(source.entries, 0, np.asarray(entries, np.uint32))
            work.append(_sized(source.dispatch, entries))
        for tensor in self._patterns.tensors:
            # Older rows of the same tile are needed, too: again, if the buffer has been used for another layer.
            start = first if self._patterns.holds(tensor) else first // self.layout.grid * self.layout.grid
            buffer, made = self._patterns.rows(tensor, start, rows)
            entry = self._entry(tensor, 0, self._patterns.stride, rows, first, end)
            queue.write_buffer(self._pattern_entries[tensor.name], 0, np.asarray(entry, np.uint32))
            key = (tensor.name, id(buffer))
            if key not in self._pattern_work:
                self._pattern_work[key] = self._live_dispatch(buffer, self._pattern_entries[tensor.name], wide=True)
            work += [*made, _sized(self._pattern_work[key], [entry])]
        return [*work, self._peaks, self._peak_all]


def _sized(dispatch: Dispatch, entries: list[list[int]]) -> Dispatch:
    """`dispatch` over as many tiles as the largest of `entries` has."""
    tiles = max(wide * down * lines for *_, wide, _first, down, lines, _, _ in entries)
    return dataclasses.replace(dispatch, groups=(max(1, -(-tiles // _THREADS)), len(entries), 1))
