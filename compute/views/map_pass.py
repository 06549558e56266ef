"""Map on the GPU: a texture as large as the picture, painted from the pyramid or from the tensors themselves."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import wgpu

from compute.forward.memory_budget import check_map_budget, free_bytes
from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.kernels import Resource
from compute.gpu.loading import Loading, finished
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Timer

from .map_axes import Axes, cell_sizes
from .map_cells import CellPainters, painting_kind
from .map_digits import powers_of_ten
from .map_layout import MapLayout
from .map_placement import Placement
from .map_pyramid import LEVELS, MapPyramid, pyramid_bytes
from .map_tiles import TilePainter
from .map_view import MapView, level_of
from .palettes import ColorMapping, canvas_of, color_mapping_bytes, range_table
from .patterns import PatternStore, pattern_buffers

_FRAME_BYTES = 32  # of `Frame` in wgsl/map/common/frame.wgsl, after the color mapping
# Values read between two frames while the map loads. They take about 10 ms on a software adapter, far less on a GPU.
_SLICE = {"texture": 4 << 20, "buffer": 256 << 20}
_TRIAL = 8  # width and height in pixels of a picture that warms up a pipeline
_TRIAL_CELLS = (8.0, 80.0)  # cell sizes in pixels, without and with digits


def map_bytes(engine: PassTensors, layout: MapLayout) -> int:
    """GPU memory in bytes that a map adds to the engine, without the picture."""
    count, size = pattern_buffers(engine, layout.context)
    return pyramid_bytes(layout) + count * size


class MapPass:
    """Paints pictures of Map. `texture` (rgba8unorm) is the latest one; a new size replaces the texture.

    Where there is no tensor, alpha is 0.

    `nbytes` is the GPU memory that it adds to the engine, without the picture.
    """

    def __init__(self, engine: PassTensors, glyphs: np.ndarray, patterns: PatternStore, pyramid: MapPyramid) -> None:
        """Use `load`. pyramid: already includes the weights; glyphs: as in `load`."""
        device = engine.device
        self.engine = engine
        self.layout = pyramid.layout
        self.patterns = patterns
        self.pyramid = pyramid
        self.nbytes = map_bytes(engine, pyramid.layout)
        uniform = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        size = len(color_mapping_bytes(ColorMapping())) + _FRAME_BYTES
        self._frame = device.create_buffer(label="map frame", size=size, usage=uniform)
        slots = pyramid.slots
        self._ranges = device.create_buffer(label="map ranges", size=16 * len(slots), usage=uniform)
        self._powers = device.create_buffer_with_data(data=powers_of_ten(), usage=wgpu.BufferUsage.UNIFORM)
        self._glyphs = self._glyph_texture(glyphs)
        self._mapping = ColorMapping()
        self._sizes = cell_sizes(self.layout)
        self._center_changed = True
        self._center_readback: AsyncReadback[tuple[float, float]] = AsyncReadback(device, "center of the logits")
        self.texture: wgpu.GPUTexture | None = None
        self._axes: wgpu.GPUTexture | None = None
        self._painter: TilePainter | None = None
        self._painted: object = None  # what the picture depends on besides the values; None if it shows cells
        self._changing: list[Dispatch] | None = None  # paint what a pass can change in that picture
        self._cells: CellPainters | None = None

    @classmethod
    def load(cls, engine: PassTensors, glyphs: np.ndarray, layout: MapLayout) -> MapPass:
        """A map of `layout`, which must be the engine's. Submits the work for the weights without waiting.

        Of a context longer than the layout's, only the first rows are shown. glyphs: pictures of `map_digits.GLYPHS`
        side by side, one row for each of its SIZES, short rows padded with zeros; uint8 [sum of the heights of
        `glyph_size`, width]. Raises `MemoryBudgetError` before it allocates anything.
        """
        return finished(cls._with_weights(engine, glyphs, layout))

    @classmethod
    def loading(cls, engine: PassTensors, glyphs: np.ndarray, layout: MapLayout) -> Loading[MapPass]:
        """Like `load`, in steps that create at most one pipeline or submit little work, so a window can draw between
        them. It also creates all pipelines that pictures need."""
        made = yield from cls._with_weights(engine, glyphs, layout)
        yield from made._try_out()
        return made

    @classmethod
    def _with_weights(cls, engine: PassTensors, glyphs: np.ndarray, layout: MapLayout) -> Loading[MapPass]:
        check_map_budget(map_bytes(engine, layout), free_bytes(engine.device.adapter, engine.gpu_bytes))
        patterns = PatternStore(engine, layout.context)
        pyramid = MapPyramid(engine, layout, patterns)
        most = _SLICE[engine.layout]
        work: list[Dispatch] = []
        pipelines = set()
        progress = ("weights", 0.0)
        for dispatch, what, done in pyramid.opening(most):
            new = dispatch.pipeline not in pipelines
            if work and (new or sum(waiting.cost for waiting in work) + dispatch.cost > most):
                _submit(engine.device, work)
                yield progress
                work = []
            pipelines.add(dispatch.pipeline)
            work.append(dispatch)
            progress = what, done
        _submit(engine.device, work)
        yield progress
        return cls(engine, glyphs, patterns, pyramid)

    def _try_out(self) -> Loading[None]:
        """Draw a small picture with each pipeline, because a driver finishes a pipeline at its first use."""
        views = list(self._trial_views())
        for number, view in enumerate(views, start=1):
            self.draw(view, _TRIAL, _TRIAL)
            yield "pictures", number / len(views)

    def _trial_views(self) -> Iterator[MapView]:
        yield MapView(0, 0, self.layout.width / _TRIAL)
        seen = set()
        for tensor in self.engine.registry:
            kind = painting_kind(tensor)
            if kind in seen or tensor.name not in self.layout.placements:
                continue
            seen.add(kind)
            placement = self.layout.placements[tensor.name]
            for cell in _TRIAL_CELLS:
                yield MapView(placement.x, placement.y, 1 / cell)

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """Use this color mapping from the next `draw` on."""
        self._mapping = mapping
        # Relative to their mean, logits have both signs.
        logits = self.engine.registry.description.head.output
        slots = {name: slot for name, slot in self.pyramid.slots.items() if name != logits}
        self.engine.device.queue.write_buffer(self._ranges, 0, range_table(mapping, slots))

    def update(self) -> None:
        """Submit the work for the registry's latest pass. Never blocks."""
        _submit(self.engine.device, self.pyramid.update())
        self._center_changed = True

    @property
    def center_pending(self) -> bool:
        """True until `take_center` has returned the result for the latest update."""
        return self._center_changed or self._center_readback.in_flight

    def take_center(self) -> tuple[float, float] | None:
        """The mean of the logits and the largest distance from it, once after each update; otherwise None.

        Call it once per frame. Never blocks.
        """
        found = self._center_readback.take()
        if self._center_changed and self._center_readback.request(self.pyramid.center, 8, _pair):
            self._center_changed = False
        return found

    def draw(
        self, view: MapView, width: int, height: int, *, top: int = 0, timer: Timer | None = None
    ) -> wgpu.GPUTexture:
        """Paint width x height pixels of `view`, from pixel row `top` on, and return `texture`.

        Of the picture that was painted before, only the tiles that a pass can change are painted again, but all of them
        with a `timer`, which measures the work. Submits without waiting.
        """
        self._resize(width, height)
        assert self.texture is not None
        assert self._painter is not None
        layout, mapping = self.layout, self._mapping
        level = level_of(view.scale, layout.base, LEVELS)
        block = 1 if level is None else layout.base << level
        wanted = (view, width, height, top, mapping)
        again = level is not None and wanted == self._painted and timer is None
        if again and self._changing is not None:
            _submit(self.engine.device, self._changing)
            return self.texture
        axes = Axes(view, width, height, layout, block, top, self._sizes if level is None else ())
        self._painted, self._changing = (None if level is None else wanted), None
        if again and mapping.span_scale == "tensor":  # with one range for all tensors, all colors can change
            changing = self._painter.of(self._changing_tensors(), axes, block)
            self._changing = [changing] if changing is not None else []
            _submit(self.engine.device, self._changing)
            return self.texture
        self._write_axes(axes)
        self._write_frame(width, height, level)
        if level is None:
            self._clear()
            assert self._cells is not None
            work = self._cells.work(axes)
        else:
            work = [self._painter.all]
        _submit(self.engine.device, work, timer)
        return self.texture

    def _changing_tensors(self) -> Iterator[Placement]:
        """Where the tensors are whose blocks `update` changes."""
        for tensor in self.engine.registry:
            if tensor.kind != "weight" and tensor.name in self.layout.placements:
                yield self.layout.placements[tensor.name]

    def read(self) -> np.ndarray:
        """The latest picture, opaque, uint8 [height, width, 4]. Blocks, so never call it inside a frame."""
        assert self.texture is not None
        width, height, _ = self.texture.size
        data = self.engine.device.queue.read_texture(
            {"texture": self.texture}, {"bytes_per_row": 4 * width, "rows_per_image": height}, (width, height, 1)
        )
        picture = np.frombuffer(data, np.uint8).reshape(height, width, 4).copy()
        picture[..., 3] = 255
        return picture

    # -- GPU resources

    def _glyph_texture(self, glyphs: np.ndarray) -> wgpu.GPUTexture:
        device = self.engine.device
        high, wide = glyphs.shape
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
        texture = device.create_texture(label="glyphs", size=(wide, high, 1), format="r8unorm", usage=usage)
        data = np.ascontiguousarray(glyphs)
        device.queue.write_texture({"texture": texture}, data, {"bytes_per_row": wide}, (wide, high, 1))
        return texture

    def _resize(self, width: int, height: int) -> None:
        if self.texture is not None and self.texture.size[:2] == (width, height):
            return
        device, usage = self.engine.device, wgpu.TextureUsage
        self.texture = device.create_texture(
            label="map picture",
            size=(width, height, 1),
            format="rgba8unorm",
            usage=usage.STORAGE_BINDING | usage.TEXTURE_BINDING | usage.COPY_SRC | usage.RENDER_ATTACHMENT,
        )
        self._axes = device.create_texture(
            label="map axes",
            size=(max(width, height), 2 + len(self._sizes), 1),
            format="rgba32uint",
            usage=usage.TEXTURE_BINDING | usage.COPY_DST,
        )
        pyramid = self.pyramid
        shared: dict[str, Resource] = {
            "frame": self._frame, "peaks": pyramid.peaks, "axes": self._axes, "picture": self.texture,
            "ranges": self._ranges,
        }  # fmt: skip
        bound = {**shared, "pyramid": pyramid.texture, "owners": pyramid.owners}
        paint = self.engine.kernels.get("map/paint", tensors=len(pyramid.slots))
        self._painter, self._painted = TilePainter(device, paint, bound, (width, height)), None
        written: dict[str, Resource] = {"glyphs": self._glyphs, "powers": self._powers}
        self._cells = CellPainters(self.engine, self.layout, self.patterns, shared, written, pyramid.center)

    def _write_axes(self, axes: Axes) -> None:
        assert self._axes is not None
        table = axes.table()
        rows, size, _ = table.shape
        layout = {"bytes_per_row": 16 * size, "rows_per_image": rows}
        self.engine.device.queue.write_texture({"texture": self._axes}, table, layout, (size, rows, 1))

    def _write_frame(self, width: int, height: int, level: int | None) -> None:
        x, y = self.pyramid.corner(level or 0)
        words = struct.pack("<8I", width, height, x, y, LEVELS - 1 - (level or 0), 0, 0, 0)
        self.engine.device.queue.write_buffer(self._frame, 0, color_mapping_bytes(self._mapping) + words)

    def _clear(self) -> None:
        assert self.texture is not None
        encoder = self.engine.device.create_command_encoder()
        color = (*canvas_of(self._mapping).ground, 0.0)
        target = {"view": self.texture.create_view(), "clear_value": color, "load_op": "clear", "store_op": "store"}
        encoder.begin_render_pass(color_attachments=[target]).end()
        self.engine.device.queue.submit([encoder.finish()])


def _pair(data: bytes) -> tuple[float, float]:
    first, second = struct.unpack("<2f", data)
    return first, second


def _submit(device: wgpu.GPUDevice, work: list[Dispatch], timer: Timer | None = None) -> None:
    if not work:
        return
    encoder = ComputeEncoder(device)
    encoder.run(work, timer)
    if timer is not None:
        encoder.resolve(timer)
    encoder.submit()
