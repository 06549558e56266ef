"""The strip atlas on the GPU: a texture painted from the registry's buffers, with no copy through the CPU."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import wgpu

from .engine import Engine
from .kernels import Resource
from .native import ComputeEncoder, Dispatch
from .palettes import PALETTES, StripLook
from .registry import Tensor
from .strip_layout import HEIGHT, WIDTH, Span, StripLayout, strip_layout, strip_tensors

_TILE = 64  # cells a workgroup paints
_EMPTY = 0xFFFFFFFF


def look_bytes(look: StripLook) -> bytes:
    """The look as wgsl/common/strip_colour.wgsl has it."""
    palette = PALETTES[look.palette]
    words = [part for colour in (*palette.negative, *palette.positive) for part in (*colour, 1.0)]
    return struct.pack("<18fII", *words, look.low, look.high or 0.0, look.span_scale == "all", 0)


class _Source:
    """One buffer that spans show, with its tables on the GPU and the dispatches over them."""

    def __init__(self, strip: StripPass, values: Resource, tensors: list[Tensor], *, gathered: bool) -> None:
        self.tensors = tensors
        self.gathered = gathered
        self.first_cell_value: dict[str, int] = {}  # of gathered weights: where a span's values begin
        device, kernels = strip.engine.device, strip.engine.kernels
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        self._queue = device.queue
        self._entries = device.create_buffer(label="strip entries", size=32 * len(tensors), usage=usage)
        tiles = WIDTH * HEIGHT // _TILE + 2 * len(tensors) + 2
        self._tiles = device.create_buffer(label="strip tiles", size=16 * tiles, usage=usage)
        self._params = device.create_buffer(
            label="strip rows", size=16, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        self._row_peaks = kernels.get("strip_row_peaks").dispatch(
            (1, 1, 1),
            {"params": self._params, "entries": self._entries, "values": values, "row_peaks": strip.row_peaks},
        )
        self._peaks = kernels.get("strip_peaks").dispatch(
            (1, 1, 1),
            {"params": self._params, "entries": self._entries, "row_peaks": strip.row_peaks, "peaks": strip.peaks},
        )
        self._paint = kernels.get("strip_paint", width=WIDTH, tensors=len(strip.slots)).dispatch(
            (1, 1, 1),
            {
                "tiles": self._tiles,
                "entries": self._entries,
                "values": values,
                "peaks": strip.peaks,
                "atlas": strip.texture,
                "look": strip.look_buffer,
            },
        )
        self._tile_count = 0
        self._shown = 0

    def lay_out(self, strip: StripPass, spans: dict[str, Span], empty: list[tuple[int, int]]) -> None:
        """Write the tables for a new layout. `empty`: (first cell, cells) that this source clears."""
        entries = np.zeros((len(self.tensors), 8), np.uint32)
        tiles: list[tuple[int, int, int, int]] = []
        shown = 0
        for tensor in self.tensors:
            span = spans.get(tensor.name)
            if span is None:
                continue
            if self.gathered:
                offset, columns, rows = self.first_cell_value[tensor.name], span.cells, 1
            else:
                offset = strip.element_offset(tensor)
                columns = tensor.columns
                rows = span.values // columns
            entries[shown, :6] = (offset, columns, rows, strip.slots[tensor.name], span.first, span.cells)
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
        if shown:
            self._queue.write_buffer(self._entries, 0, entries[:shown].tobytes())
        if tiles:
            self._queue.write_buffer(self._tiles, 0, np.asarray(tiles, np.uint32).tobytes())

    def measure(self, first_row: int, rows: int, window: int) -> list[Dispatch]:
        """Dispatches that bring the peaks up to date after `rows` rows from `first_row` on have changed."""
        if not self._shown:
            return []
        self._queue.write_buffer(self._params, 0, np.asarray([first_row, window, 0, 0], np.uint32).tobytes())
        return [
            dataclasses.replace(self._row_peaks, groups=(self._shown, rows, 1)),
            dataclasses.replace(self._peaks, groups=(self._shown, 1, 1)),
        ]

    def paint(self) -> list[Dispatch]:
        """The dispatch that paints all tiles, if there are any."""
        if not self._tile_count:
            return []
        return [dataclasses.replace(self._paint, groups=(self._tile_count, 1, 1))]


class StripPass:
    """Keeps `texture` (rgba8unorm, 640 x 360) showing the registry's latest pass."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        device = engine.device
        self.texture = device.create_texture(
            label="strip atlas",
            size=(WIDTH, HEIGHT, 1),
            format="rgba8unorm",
            usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_SRC,
        )
        self.layout = StripLayout((), ())
        self.look_buffer = device.create_buffer(
            label="strip look", size=80, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        self.set_look(StripLook())
        tensors = strip_tensors(engine.registry)
        self.slots = {tensor.name: slot for slot, tensor in enumerate(tensors)}
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        self.row_peaks = device.create_buffer(label="row peaks", size=4 * len(tensors) * engine.context, usage=usage)
        self.peaks = device.create_buffer(label="peaks", size=4 * (len(tensors) + 1), usage=usage)
        self._gathered_values = device.create_buffer(label="weight cells", size=4 * WIDTH * HEIGHT, usage=usage)
        self._gathered_cells: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._weights, self._live = self._make_sources(tensors)
        self._peak_all = engine.kernels.get("strip_peak_all", tensors=len(tensors)).dispatch(
            (1, 1, 1), {"peaks": self.peaks}
        )
        self._end = WIDTH * HEIGHT  # cells up to here may hold something to clear
        self._seen_rows = 0
        self._seen_epoch = -1

    def set_look(self, look: StripLook) -> None:
        """Paint so from the next `update` on."""
        self.engine.device.queue.write_buffer(self.look_buffer, 0, look_bytes(look))
        self._look, self._look_is_new = look, True

    def element_offset(self, tensor: Tensor) -> int:
        """First element of a live tensor in its source."""
        return self._offsets[tensor.name]

    def _make_sources(self, tensors: list[Tensor]) -> tuple[_Source, list[_Source]]:
        weights = [tensor for tensor in tensors if tensor.family == "weight"]
        by_buffer: dict[int, tuple[wgpu.GPUBuffer, list[Tensor]]] = {}
        for tensor in tensors:
            if tensor.family != "weight":
                piece = tensor.storage.pieces[0]
                assert isinstance(piece.resource, wgpu.GPUBuffer)
                by_buffer.setdefault(id(piece.resource), (piece.resource, []))[1].append(tensor)
                self._offsets[tensor.name] = piece.offset // 4
        live = [_Source(self, buffer, group, gathered=False) for buffer, group in by_buffer.values()]
        return _Source(self, self._gathered_values, weights, gathered=True), live

    def update(self) -> None:
        """Submit what makes the texture show the registry's latest pass. Never blocks."""
        registry = self.engine.registry
        layout = strip_layout(registry)
        work: list[Dispatch] = []
        window = self.engine.context
        if layout != self.layout:
            spans = {span.name: span for span in layout.spans}
            work += self._gather(spans)
            end = layout.spans[-1].last + 1 if layout.spans else 0
            self._weights.lay_out(self, spans, self._empty(layout, max(end, self._end)))
            for source in self._live:
                source.lay_out(self, spans, [])
            work += self._weights.measure(0, 1, window)
        same = self.engine.epoch == self._seen_epoch
        first = min(self._seen_rows, registry.rows - 1) if same else 0
        for source in self._live:
            # The logits have one row, which every pass writes anew.
            start = max(0, first) if all(tensor.rows is None for tensor in source.tensors) else 0
            work += source.measure(start, max(1, registry.rows - start), window)
        one_range = self._look.span_scale == "all"
        if one_range:
            work.append(self._peak_all)
        if layout != self.layout or one_range or self._look_is_new:
            work += self._weights.paint()
        for source in self._live:
            work += source.paint()
        self.layout, self._look_is_new = layout, False
        if layout.spans:
            self._end = layout.spans[-1].last + 1
        self._seen_rows, self._seen_epoch = registry.rows, self.engine.epoch
        encoder = ComputeEncoder(self.engine.device)
        encoder.run(work)
        encoder.submit()

    def _gather(self, spans: dict[str, Span]) -> list[Dispatch]:
        """Fetch the values of weight spans whose number of cells is new."""
        work: list[Dispatch] = []
        at = 0
        for tensor in self._weights.tensors:
            span = spans.get(tensor.name)
            if span is None:
                continue
            start = self._weights.first_cell_value.get(tensor.name)
            if start != at or self._gathered_cells.get(tensor.name) != span.cells:
                self._weights.first_cell_value[tensor.name] = at
                self._gathered_cells[tensor.name] = span.cells
                work += self._gather_tensor(tensor, span, at)
            at += span.cells
        return work

    def _gather_tensor(self, tensor: Tensor, span: Span, target: int) -> list[Dispatch]:
        storage = tensor.storage
        kernel = self.engine.kernels.get(
            "strip_gather", columns=tensor.columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile
        )
        work = []
        for piece in storage.pieces:
            params = np.asarray([span.cells, span.values, piece.first_row, piece.rows, target, 0, 0, 0], np.uint32)
            buffer = self.engine.device.create_buffer_with_data(data=params, usage=wgpu.BufferUsage.UNIFORM)
            values: Resource = piece.resource
            if isinstance(piece.resource, wgpu.GPUBuffer):
                values = (piece.resource, piece.offset, piece.size)
            resources: dict[str, Resource] = {"params": buffer, "weight": values, "cells": self._gathered_values}
            work.append(kernel.dispatch((-(-span.cells // 64), 1, 1), resources))
        return work

    @staticmethod
    def _empty(layout: StripLayout, end: int) -> list[tuple[int, int]]:
        """(first cell, cells) of the gaps between spans, and of what follows the last one up to `end`."""
        gaps = []
        cursor = 0
        for span in layout.spans:
            if span.first > cursor:
                gaps.append((cursor, span.first - cursor))
            cursor = span.last + 1
        if end > cursor:
            gaps.append((cursor, end - cursor))
        return gaps

    def read(self) -> np.ndarray:
        """The texture as uint8 [360, 640, 4]. Blocks: never inside a frame."""
        data = self.engine.device.queue.read_texture(
            {"texture": self.texture}, {"bytes_per_row": WIDTH * 4, "rows_per_image": HEIGHT}, (WIDTH, HEIGHT, 1)
        )
        return np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 4).copy()  # [360, 640, 4]
