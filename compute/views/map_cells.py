"""Paints Map from the values themselves: one dispatch per visible tensor, over the pixels that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.forward.program import resource
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Shard, Tensor, TensorStorage

from .map_axes import Axes
from .map_digits import digit_style, glyph_size, glyph_top
from .map_entries import filled_extent, placement_words
from .map_layout import MapLayout
from .map_weights import packs_of
from .patterns import PatternStore

_BORDER_FROM, _BORDER_FULL = 5.0, 14.0  # cell sizes in pixels at which borders appear and are opaque
_SLOT = 256  # bytes: the largest uniform offset alignment


@dataclass(frozen=True)
class _Painter:
    """The dispatch that paints one shard of a tensor."""

    first_row: int
    end_row: int
    slot: int  # index of its parameters
    packs: int  # per row; with `tile`, see wgsl/common/values.wgsl
    tile: int
    dispatch: Dispatch


class CellPainters:
    """Paints tensors in one picture. The dispatches for a tensor are created when it is first visible."""

    def __init__(
        self,
        engine: PassTensors,
        layout: MapLayout,
        patterns: PatternStore,
        shared: Mapping[str, Resource],
        writing: Mapping[str, Resource],
        center: wgpu.GPUBuffer,
    ) -> None:
        """shared: what wgsl/map/cells.wgsl binds besides a tensor and its parameters; writing: the same for digits.

        center: the value relative to which logits are colored.
        """
        self._engine, self._layout, self._patterns = engine, layout, patterns
        self._shared, self._writing, self._center = shared, writing, center
        self._tensors = [tensor for tensor in engine.registry if tensor.name in layout.placements]
        placements = [layout.placements[tensor.name] for tensor in self._tensors]
        # [tensors, (left, top, right, bottom)] in cells
        self._boxes = np.array([(p.x, p.y, p.x + p.width, p.y + p.height) for p in placements])
        self._slots: dict[str, int] = {}  # a tensor's first
        slots = 0
        for tensor in self._tensors:
            self._slots[tensor.name] = slots
            slots += max(1, len(tensor.storage.shards))
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        self._params = engine.device.create_buffer(label="map placements", size=_SLOT * slots, usage=usage)
        # By tensor, index of the shard, its resource, and whether digits are written.
        self._painters: dict[tuple[str, int, int, bool], _Painter] = {}

    def work(self, axes: Axes) -> list[Dispatch]:
        """Dispatches that paint the visible tensors of a picture.

        Without digits there is a separate kernel: on software adapters, starting the larger one with digits takes 2 ms.
        """
        rows = min(self._engine.registry.rows, self._layout.context)
        work: list[Dispatch] = []
        params: dict[int, list[int]] = {}
        for number in np.flatnonzero(axes.visible(self._boxes)).tolist():
            tensor = self._tensors[number]
            placement = self._layout.placements[tensor.name]
            left, top, right, bottom = axes.pixels(placement)
            if left >= right or top >= bottom:
                continue
            style = _style_words(min(placement.cell_width, placement.cell_height) / axes.view.scale)
            for painter in self._painters_of(tensor, work, digits=style[1] > 0):
                words = placement_words(placement.in_cells(), *filled_extent(tensor, placement, rows))
                words += [painter.first_row, painter.end_row, number, painter.packs]
                params[painter.slot] = [*words, left, top, right, bottom, painter.tile, *axes.rows(placement), *style]
                groups = (-(-(right - left) // 8), -(-(bottom - top) // 8), 1)
                work.append(painter.dispatch.over(groups))
        if params:
            low, high = min(params), max(params)
            table = np.zeros((high - low + 1, _SLOT // 4), np.uint32)
            for slot, words in params.items():
                table[slot - low, : len(words)] = words
            self._engine.device.queue.write_buffer(self._params, low * _SLOT, table)
        return work

    def _painters_of(self, tensor: Tensor, work: list[Dispatch], *, digits: bool) -> list[_Painter]:
        """One painter per shard. Dispatches that must run first are added to `work`."""
        storage, columns = tensor.storage, tensor.columns
        if tensor.heads:
            buffer, made = self._patterns.all_rows(tensor)
            work += made
            rows = tensor.heads * self._layout.context
            storage = TensorStorage("buffer", "f32", 0, (Shard(buffer, 0, buffer.size, 0, rows),))
            columns = self._patterns.stride
        painters = []
        for number, shard in enumerate(storage.shards):
            key = (tensor.name, number, id(shard.resource), digits)
            if key not in self._painters:
                self._painters[key] = self._made(tensor, number, storage, columns, digits)
            painters.append(self._painters[key])
        return painters

    def _made(self, tensor: Tensor, number: int, storage: TensorStorage, columns: int, digits: bool) -> _Painter:
        shard = storage.shards[number]
        kind, dtype, centered = painting_kind(tensor)
        kernel = self._engine.kernels.get(
            "map/cells", storage=kind, dtype=dtype, centered=centered, tensors=len(self._slots), digits=digits
        )
        slot = self._slots[tensor.name] + number
        bound = {**self._shared, "params": (self._params, slot * _SLOT, 128), "weight": resource(shard)}
        if digits:
            bound |= self._writing
        if centered:
            bound["center"] = self._center
        dispatch = kernel.dispatch((1, 1, 1), bound, label=tensor.name)
        end_row = shard.first_row + tensor.rows_in(shard)
        return _Painter(shard.first_row, end_row, slot, packs_of(storage, columns), storage.tile, dispatch)


def _style_words(cell: float) -> tuple[int, ...]:
    """Border, ink, figures, glyph size and glyph top in wgsl/map/cells.wgsl for cells of `cell` pixels."""
    border = min(max((cell - _BORDER_FROM) / (_BORDER_FULL - _BORDER_FROM), 0.0), 1.0)
    style = digit_style(cell)
    if style is None:
        return _bits(border), 0, 0, 0, 0
    wide, high = glyph_size(style.glyph_width)
    return _bits(border), _bits(style.ink), style.figures, wide | high << 16, glyph_top(style.glyph_width)


def _bits(value: float) -> int:
    """The bits of a float32."""
    return int(np.float32(value).view(np.uint32))


def painting_kind(tensor: Tensor) -> tuple[str, str, bool]:
    """`storage` and `dtype` in wgsl/common/values.wgsl, and `centered` in wgsl/map/common/center.wgsl.

    Tensors with the same three share a pipeline.
    """
    if tensor.heads:
        return "buffer", "f32", False  # recomputed
    kind = "loose" if tensor.columns % 4 else tensor.storage.kind
    return kind, tensor.storage.dtype, tensor.is_logits
