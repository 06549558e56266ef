"""Strip on the GPU: a texture painted from the registry's buffers, without a copy through the CPU."""

from __future__ import annotations

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.models.registry import Tensor

from .palettes import ColorMapping, canvas_of, color_mapping_bytes, is_plain, range_table
from .strip_layout import HEIGHT, WIDTH, Span, StripLayout, strip_layout, strip_tensors
from .strip_source import Source, Surface
from .strip_weights import WeightCells


class StripPass:
    """Paints the registry's latest pass into `texture` (rgba8unorm, 640 x 360).

    Alpha is 255, except for non-finite cells: 254 for NaN, 253 for plus infinity, 252 for minus infinity.
    `values` (r32uint, the same size) has the bits of the float32 that each cell shows.
    """

    def __init__(self, engine: PassTensors, mapping: ColorMapping | None = None) -> None:
        self.engine = engine
        device = engine.device
        self.texture = device.create_texture(
            label="strip",
            size=(WIDTH, HEIGHT, 1),
            format="rgba8unorm",
            usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_SRC,
        )
        self.values = device.create_texture(
            label="strip values",
            size=(WIDTH, HEIGHT, 1),
            format="r32uint",
            usage=wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_SRC,
        )
        self.layout = StripLayout((), ())
        self._mapping_buffer = device.create_buffer(
            label="strip color mapping",
            size=len(color_mapping_bytes(ColorMapping())),
            usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST,
        )
        self._mapping = mapping or ColorMapping()
        tensors = strip_tensors(engine.registry)
        self._slots = {tensor.name: slot for slot, tensor in enumerate(tensors)}
        self._ranges = device.create_buffer(
            label="strip ranges", size=16 * len(tensors), usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        self.set_color_mapping(self._mapping)
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST
        surface = Surface(
            kernels=engine.kernels,
            texture=self.texture,
            shown=self.values,
            mapping=self._mapping_buffer,
            row_peaks=device.create_buffer(label="row peaks", size=4 * len(tensors) * engine.context, usage=usage),
            peaks=device.create_buffer(label="peaks", size=4 * (len(tensors) + 1), usage=usage),
            ranges=self._ranges,
            slots=self._slots,
        )
        weights = [tensor for tensor in tensors if tensor.kind == "weight"]
        self._cells = WeightCells(engine.kernels, weights, engine.layout)
        self._weights = Source(surface, self._cells.values, weights, self._cells.locate)
        self._live = self._live_sources(surface, tensors)
        self._peak_all = engine.kernels.get("strip/peak_all", tensors=len(tensors)).dispatch(
            (1, 1, 1), {"peaks": surface.peaks}
        )
        self._end = WIDTH * HEIGHT  # cells up to here may need clearing
        self._seen_rows = 0
        self._seen_epoch = -1
        self._seen_sampling = ""
        self._numbers = self._numbers_are_new = False

    def show_numbers(self, on: bool) -> None:
        """Whether `update` also stores the value of each cell in `values`, which takes about as long as painting."""
        self._numbers_are_new = on and not self._numbers
        self._numbers = on

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """Use this color mapping from the next `update` on."""
        queue = self.engine.device.queue
        queue.write_buffer(self._mapping_buffer, 0, color_mapping_bytes(mapping))
        queue.write_buffer(self._ranges, 0, range_table(mapping, self._slots))
        if canvas_of(mapping) != canvas_of(self._mapping):
            self._end, self._seen_sampling = WIDTH * HEIGHT, ""  # lay out and clear everything
        self._mapping, self._mapping_is_new = mapping, True

    @staticmethod
    def _live_sources(surface: Surface, tensors: list[Tensor]) -> list[Source]:
        by_buffer: dict[int, tuple[wgpu.GPUBuffer, list[Tensor]]] = {}
        for tensor in tensors:
            if tensor.kind != "weight":
                shard = tensor.storage.shards[0]
                assert isinstance(shard.resource, wgpu.GPUBuffer)
                by_buffer.setdefault(id(shard.resource), (shard.resource, []))[1].append(tensor)

        def locate(tensor: Tensor, span: Span) -> tuple[int, int, int]:
            return tensor.storage.shards[0].offset // 4, tensor.columns, span.values // tensor.columns

        return [Source(surface, buffer, group, locate) for buffer, group in by_buffer.values()]

    @property
    def pending(self) -> bool:
        """True while `update` still has weights to read."""
        return self._cells.pending

    def update(self) -> None:
        """Submit the work that paints the registry's latest pass. Never blocks.

        Weights are read in slices; while slices remain for later calls, `pending` is true.
        """
        registry, context, mapping = self.engine.registry, self.engine.context, self._mapping
        pool, plain = mapping.sampling == "pool", is_plain(mapping)
        layout = strip_layout(registry)
        work: list[Dispatch] = []
        if layout != self.layout or mapping.sampling != self._seen_sampling:
            spans = {span.name: span for span in layout.spans}
            self._cells.lay_out(spans, pool=pool)
            end = layout.spans[-1].last + 1 if layout.spans else 0
            self._weights.lay_out(spans, self._empty(layout, max(end, self._end)))
            for source in self._live:
                source.lay_out(spans, [])
        fetched = self._cells.work()
        weights_are_new = bool(fetched) or layout != self.layout
        if weights_are_new:
            work += [*fetched, *self._weights.measure(0, 1, context, pool=False)]
        same = self.engine.epoch == self._seen_epoch and mapping.sampling == self._seen_sampling
        first = min(self._seen_rows, registry.rows - 1) if same else 0
        for source in self._live:
            # The logits have one row, which every pass rewrites.
            start = max(0, first) if all(tensor.rows is None for tensor in source.tensors) else 0
            work += source.measure(start, max(1, registry.rows - start), context, pool=pool)
        one_range = mapping.span_scale == "all"
        if one_range:
            work.append(self._peak_all)
        if weights_are_new or one_range or self._mapping_is_new:
            work += self._weights.paint(pool=False, plain=plain)
        for source in self._live:
            work += source.paint(pool=pool, plain=plain)
        if self._numbers:
            if weights_are_new or self._numbers_are_new:
                work += self._weights.paint(pool=False, numbers=True)
            for source in self._live:
                work += source.paint(pool=pool, numbers=True)
            self._numbers_are_new = False
        self.layout, self._mapping_is_new = layout, False
        if layout.spans:
            self._end = layout.spans[-1].last + 1
        self._seen_rows, self._seen_epoch, self._seen_sampling = registry.rows, self.engine.epoch, mapping.sampling
        encoder = ComputeEncoder(self.engine.device)
        encoder.run(work)
        encoder.submit()

    @staticmethod
    def _empty(layout: StripLayout, end: int) -> list[tuple[int, int]]:
        """(first cell, cells) of the gaps between spans, and from the last span to `end`."""
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
        """The finished picture as uint8 [360, 640, 4], opaque. Blocks, so never call it inside a frame."""
        while self.pending:
            self.update()
        data = self.engine.device.queue.read_texture(
            {"texture": self.texture}, {"bytes_per_row": WIDTH * 4, "rows_per_image": HEIGHT}, (WIDTH, HEIGHT, 1)
        )
        picture = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, 4).copy()  # [360, 640, 4]
        picture[..., 3] = 255
        return picture
