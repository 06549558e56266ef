"""One buffer whose values appear in Strip's spans: its tables on the GPU and the dispatches over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.gpu.device import is_software
from compute.gpu.kernels import Kernels, Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor

from .strip_layout import HEIGHT, WIDTH, Span

_TILE = 64  # cells that a workgroup paints
_SOFTWARE_THREADS = 8  # of such a workgroup on a software adapter, which runs 8 or 16 threads as one vector
_EMPTY = 0xFFFFFFFF
_BLOCK = 16  # values per block whose extreme is kept
_BLOCKS_FROM = 32  # values per cell from which blocks save time
_BLOCK_PARTS = 8  # workgroups per tensor that compute blocks
_MANY_ROWS = 16  # number of changed rows from which several workgroups compute a tensor's blocks


@dataclass(frozen=True)
class Surface:
    """GPU resources that all sources of a strip share."""

    kernels: Kernels
    texture: wgpu.GPUTexture
    shown: wgpu.GPUTexture  # r32uint: the bits of the value in each cell
    mapping: wgpu.GPUBuffer
    row_peaks: wgpu.GPUBuffer  # largest finite magnitude of each row of each slot
    peaks: wgpu.GPUBuffer  # of each slot, then the largest of all
    ranges: wgpu.GPUBuffer  # of one-signed tensors, see `palettes.range_table`
    slots: Mapping[str, int]  # index of a tensor in these tables


class Source:
    """Spans over the float32 values of one buffer. `locate` returns a span's (offset, columns, rows) in it."""

    def __init__(
        self,
        surface: Surface,
        values: wgpu.GPUBuffer,
        tensors: Sequence[Tensor],
        locate: Callable[[Tensor, Span], tuple[int, int, int]],
    ) -> None:
        self.tensors = tensors
        self._surface, self._values, self._locate = surface, values, locate
        device = surface.kernels.device
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        self._queue = device.queue
        self._entries = device.create_buffer(label="strip entries", size=32 * len(tensors), usage=usage)
        tiles = WIDTH * HEIGHT // _TILE + 2 * len(tensors) + 2
        self._tiles = device.create_buffer(label="strip tiles", size=16 * tiles, usage=usage)
        self._params = device.create_buffer(
            label="strip rows", size=16, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        self._row_peaks = surface.kernels.get("strip/row_peaks").dispatch(
            (1, 1, 1),
            {"params": self._params, "entries": self._entries, "values": values, "row_peaks": surface.row_peaks},
        )
        self._peaks = surface.kernels.get("strip/peaks").dispatch(
            (1, 1, 1),
            {
                "params": self._params,
                "entries": self._entries,
                "row_peaks": surface.row_peaks,
                "peaks": surface.peaks,
            },
        )
        self._paints: dict[tuple[bool, bool, bool], Dispatch] = {}  # by pool, numbers and plain
        self._blocks: Dispatch | None = None
        self._blocks_buffer: wgpu.GPUBuffer | None = None
        self._tile_count = self._shown = 0
        self._wants_blocks = False

    def lay_out(self, spans: Mapping[str, Span], empty: Sequence[tuple[int, int]]) -> None:
        """Write the tables for a new layout. empty: (first cell, cells) of ranges that this source clears."""
        entries = np.zeros((len(self.tensors), 8), np.uint32)
        tiles: list[tuple[int, int, int, int]] = []
        shown = 0
        for tensor in self.tensors:
            span = spans.get(tensor.name)
            if span is None:
                continue
            offset, columns, rows = self._locate(tensor, span)
            blocks = rows * columns >= _BLOCKS_FROM * span.cells
            slot = self._surface.slots[tensor.name]
            entries[shown, :7] = (offset, columns, rows, slot, span.first, span.cells, blocks)
            tiles += [
                (shown, first, min(_TILE, span.last + 1 - first), 0)
                for first in range(span.first, span.last + 1, _TILE)
            ]
            shown += 1
        for start, cells in empty:
            tiles += [
                (_EMPTY, first, min(_TILE, start + cells - first), 0) for first in range(start, start + cells, _TILE)
            ]
        self._shown, self._tile_count = shown, len(tiles)
        self._wants_blocks = bool(entries[:, 6].any())
        if shown:
            self._queue.write_buffer(self._entries, 0, entries[:shown].tobytes())
        if tiles:
            self._queue.write_buffer(self._tiles, 0, np.asarray(tiles, np.uint32).tobytes())

    def measure(self, first_row: int, rows: int, context: int, *, pool: bool) -> list[Dispatch]:
        """Dispatches that update peaks, and blocks for pooling, after `rows` rows from `first_row` on have changed."""
        if not self._shown:
            return []
        self._queue.write_buffer(self._params, 0, np.asarray([first_row, context, 0, 0], np.uint32).tobytes())
        work = [
            self._row_peaks.over((self._shown, rows, 1)),
            self._peaks.over((self._shown, 1, 1)),
        ]
        if pool and self._wants_blocks:
            parts = _BLOCK_PARTS if rows >= _MANY_ROWS else 1
            work.append(self._block_work().over((self._shown, parts, 1)))
        return work

    def paint(self, *, pool: bool, numbers: bool = False, plain: bool = False) -> list[Dispatch]:
        """The dispatch that paints all tiles, or with `numbers` stores their values; none when there are no tiles.

        plain: the color mapping is, see `palettes.is_plain`.
        """
        if not self._tile_count:
            return []
        return [self._paint_work(pool, numbers, plain).over((self._tile_count, 1, 1))]

    def _block_table(self) -> wgpu.GPUBuffer:
        """Keys of all blocks of the buffer. Allocated when pooling first needs it."""
        if self._blocks_buffer is None:
            size = 4 * -(-self._values.size // (4 * _BLOCK))
            self._blocks_buffer = self._surface.kernels.device.create_buffer(
                label="strip blocks", size=size, usage=wgpu.BufferUsage.STORAGE
            )
        return self._blocks_buffer

    def _block_work(self) -> Dispatch:
        if self._blocks is None:
            self._blocks = self._surface.kernels.get("strip/blocks").dispatch(
                (1, 1, 1),
                {
                    "params": self._params,
                    "entries": self._entries,
                    "values": self._values,
                    "blocks": self._block_table(),
                },
            )
        return self._blocks

    def _paint_work(self, pool: bool, numbers: bool, plain: bool) -> Dispatch:
        key = (pool, numbers, plain)
        if key not in self._paints:
            surface = self._surface
            kernel = surface.kernels.get(
                "strip/paint",
                width=WIDTH,
                tensors=len(surface.slots),
                pool=pool,
                numbers=numbers,
                plain=plain,
                threads=_SOFTWARE_THREADS if is_software(surface.kernels.device.adapter) else _TILE,
            )
            written: dict[str, Resource] = {"shown": surface.shown}
            if not numbers:
                written = {"picture": surface.texture, "peaks": surface.peaks, "mapping": surface.mapping}
                written |= {} if plain else {"ranges": surface.ranges}
            blocks = {"blocks": self._block_table()} if pool else {}
            self._paints[key] = kernel.dispatch(
                (1, 1, 1),
                {
                    "tiles": self._tiles,
                    "entries": self._entries,
                    "values": self._values,
                    **written,
                    **blocks,
                },
            )
        return self._paints[key]
