"""One attention head in full: scores of all pairs of tokens, the same with later keys masked, and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch

from .attention_colors import AttentionColors
from .attention_inputs import head_values, query_and_key
from .attention_wall import AttentionWall, edited_attention, picture_texture, products_of

SCORES, MASKED, WEIGHTS = range(3)  # the matrices, in the order of computation


@dataclass(frozen=True)
class MatrixPicture:
    """A picture of the matrix `step`, `side` x `side` pixels.

    key, query: the element in the top left corner; cell: pixels per element.
    """

    step: int
    side: int
    key: float
    query: float
    cell: float


@dataclass(frozen=True)
class HeadLine:
    """What one query gives to the keys, and one key gets from the queries; float32 [rows] each.

    peaks: the largest magnitude of all scores, and of those whose key is not later than the query.
    """

    layer: int
    head: int
    query: int
    key: int
    peaks: tuple[float, float]
    query_scores: np.ndarray
    query_weights: np.ndarray
    key_scores: np.ndarray
    key_weights: np.ndarray


class AttentionHead:
    """The matrices of the head that `select` chose, float32 [context, context] each."""

    def __init__(self, engine: PassTensors, most: int | None = None) -> None:
        """Allocates buffers; computes nothing yet. The model must have attention. most: see `AttentionWall`."""
        self._engine, self.layers = engine, engine.description.attention
        self.layer = self.head = 0
        self.rows = 0  # of the matrices
        self.ready = 0  # rows that have values of this head, in this pass or an earlier one
        self._done, self._epoch = 0, -1  # rows that are as in the latest pass
        self._most = most or products_of(engine)
        device, context, usage = engine.device, engine.context, wgpu.BufferUsage

        def buffer(label: str, size: int, extra: int = usage.STORAGE) -> wgpu.GPUBuffer:
            return device.create_buffer(
                label=f"attention {label}", size=size, usage=extra | usage.COPY_DST | usage.COPY_SRC
            )

        self._scores, self._weights = buffer("scores", 4 * context * context), buffer("weights", 4 * context * context)
        self._peaks, self._line = buffer("peaks", 8), buffer("line", 4 * (4 * context + 4))
        self._uniforms = {
            name: buffer(f"{name} params", size, usage.UNIFORM)
            for name, size in (
                ("new rows", 16), ("new keys", 16), ("softmax", 16), ("line", 16), ("picture", 32), ("colors", 144)
            )
        }  # fmt: skip
        matrices = {"scores": self._scores, "weights": self._weights, "peaks": self._peaks}
        self._collect = engine.kernels.get("attention/line", context=context).dispatch(
            (-(-context // 64), 1, 1), {"params": self._uniforms["line"], "line": self._line, **matrices}
        )
        self._matrices = matrices
        self._products: dict[tuple[int, str], Dispatch] = {}  # by layer, and kind of rectangle or "softmax"
        self._edit_changes = 0  # for which they were made
        self._readback: AsyncReadback[HeadLine] = AsyncReadback(device, "attention line")
        self._textures: dict[int, wgpu.GPUTexture] = {}  # by step
        self._paintings: dict[tuple[int, bool], tuple[wgpu.GPUBuffer, Dispatch]] = {}
        self._minus: dict[str, Resource] = {}  # what pictures subtract
        self._relative = False

    def select(self, layer: int, head: int) -> None:
        """Choose a head."""
        if (layer, head) != (self.layer, self.head):
            self.layer, self.head, self._epoch, self.ready = layer, head, -1, 0

    # -- computing

    @property
    def complete(self) -> bool:
        """True when the matrices contain the engine's latest pass."""
        same = self.rows == self._engine.registry.rows and self._epoch == self._engine.epoch
        return same and self._done == self.rows

    @property
    def known(self) -> bool:
        """True when the matrices are those of the selected head, in this pass or an earlier one."""
        return 0 < self.ready == self.rows

    def update(self) -> bool:
        """Submit the work for rows and keys that have changed, or for some of them when there are many.

        The tensors must belong to one whole pass. Never blocks. True when it has submitted anything.
        """
        if self.complete:
            return False
        if self._edit_changes != self._engine.edit_changes:
            self._products.clear()
            self._edit_changes = self._engine.edit_changes
        queue, before = self._engine.device.queue, self.rows
        rows, epoch = self._engine.registry.rows, self._engine.epoch
        if epoch != self._epoch or rows < before:
            self._done = 0
            queue.write_buffer(self._peaks, 0, bytes(8))
        self.rows, self._epoch, first = rows, epoch, self._done
        affordable = self._most // (rows * self.layers[self.layer].head_size)
        self._done = min(rows, first + max(1, affordable))
        self.ready = max(self._done, min(self.ready, before, rows))
        work = [self._rectangle("new keys", 0, first, before)] if first and rows > before else []
        if self._done > first:
            queue.write_buffer(self._uniforms["softmax"], 0, np.array([first, self.head, 0, 0], np.uint32))
            work.append(self._rectangle("new rows", first, self._done, 0))
            work.append(self._softmax().over((self._done - first, 1, 1)))
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(work)
        encoder.submit()
        return True

    def _rectangle(self, kind: str, first: int, end: int, key: int) -> Dispatch:
        """The scores of queries `first` to `end` and of all keys from `key` on."""
        params = np.array([first, key, self.rows, self.head], np.uint32)
        self._engine.device.queue.write_buffer(self._uniforms[kind], 0, params)
        attention = self.layers[self.layer]
        if (self.layer, kind) not in self._products:
            bindings = self._edit_bindings()
            kernel = self._engine.kernels.get(
                "attention/scores", edited=bool(bindings), **head_values(self._engine, attention)
            )
            bound: dict[str, Resource] = {
                "params": self._uniforms[kind], "scores": self._scores, "peaks": self._peaks,
                **query_and_key(self._engine, attention), **bindings,
            }  # fmt: skip
            self._products[self.layer, kind] = kernel.dispatch((1, 1, 1), bound, label=attention.pattern)
        groups = (-(-(self.rows - key) // 64), end - first, 1)
        return self._products[self.layer, kind].over(groups)

    def _softmax(self) -> Dispatch:
        """The weights of rows from their scores."""
        if (self.layer, "softmax") not in self._products:
            bindings = self._edit_bindings()
            kernel = self._engine.kernels.get(
                "attention/weights", context=self._engine.context, edited=bool(bindings),
                window=self.layers[self.layer].window,
            )  # fmt: skip
            bound: dict[str, Resource] = {
                "params": self._uniforms["softmax"], "all_scores": self._scores, "weights": self._weights, **bindings
            }  # fmt: skip
            self._products[self.layer, "softmax"] = kernel.dispatch((1, 1, 1), bound)
        return self._products[self.layer, "softmax"]

    def _edit_bindings(self) -> dict[str, Resource]:
        """What the kernels need of a layer whose attention has edits; nothing for any other."""
        edited = edited_attention(self._engine, self.layers[self.layer])
        if not edited.any:
            return {}
        points = self._engine.device.create_buffer_with_data(
            data=np.array([edited.scores, edited.pattern, 0, 0], np.uint32), usage=wgpu.BufferUsage.UNIFORM
        )
        return {"state": self._engine.state_buffer, "points": points, **edited.bindings}

    # -- reading

    def request_line(self, query: int, key: int) -> bool:
        """Fetch a query's row and a key's column. False while an earlier request is in flight."""
        rows, context, layer, head = self.rows, self._engine.context, self.layer, self.head
        if not rows or self._readback.in_flight:
            return False
        query, key = min(query, rows - 1), min(key, rows - 1)
        self._engine.device.queue.write_buffer(self._uniforms["line"], 0, np.array([query, key, 0, 0], np.uint32))

        def decode(data: bytes) -> HeadLine:
            values = np.frombuffer(data, np.float32)
            parts = [values[at * context : at * context + rows].copy() for at in range(4)]
            peaks = (float(values[4 * context]), float(values[4 * context + 1]))
            return HeadLine(layer, head, query, key, peaks, *parts)

        return self._readback.request(self._line, self._line.size, decode, [self._collect])

    def take_line(self) -> HeadLine | None:
        """The requested values; returned once, None until they have arrived."""
        return self._readback.take()

    # -- painting

    def paint(self, pictures: Sequence[MatrixPicture], colors: AttentionColors) -> dict[int, wgpu.GPUTexture]:
        """Submit the work that paints matrices, each at most once. Returns a texture (rgba8unorm) for each step.

        A texture is replaced when its size changes. Alpha is 0 outside of the matrix.
        """
        queue, textures, work = self._engine.device.queue, {}, []
        for picture in pictures:
            textures[picture.step], params, dispatch = self._painted(picture.step, picture.side, picture.cell < 1)
            words = np.array([picture.side, picture.step, self.rows], np.uint32).tobytes()
            words += np.array([picture.cell, picture.key, picture.query], np.float32).tobytes()
            words += np.array([self.ready, 0], np.uint32).tobytes()
            queue.write_buffer(params, 0, words)
            work.append(dispatch)
        queue.write_buffer(self._uniforms["colors"], 0, colors.data)
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(work)
        encoder.submit()
        return textures

    def _painted(self, step: int, side: int, pooled: bool) -> tuple[wgpu.GPUTexture, wgpu.GPUBuffer, Dispatch]:
        """The texture of a step, the parameters of its painting, and the dispatch that paints it.

        pooled: whether a pixel shows several elements.
        """
        texture = self._textures.get(step)
        if texture is None or texture.size[0] != side:
            texture = picture_texture(self._engine.device, f"attention step {step}", side, side)
            self._textures[step] = texture
            for known in (False, True):
                self._paintings.pop((step, known), None)
        if (step, pooled) not in self._paintings:
            usage = wgpu.BufferUsage
            params = self._engine.device.create_buffer(
                label="matrix params", size=32, usage=usage.UNIFORM | usage.COPY_DST
            )
            shared: dict[str, Resource] = {"params": params, "colors": self._uniforms["colors"], "picture": texture}
            bound = {**shared, **self._matrices, **self._minus}
            kernel = self._engine.kernels.get(
                "attention/matrix", context=self._engine.context, pooled=pooled,
                difference=bool(self._minus), relative=self._relative,
            )  # fmt: skip
            self._paintings[step, pooled] = params, kernel.dispatch((-(-side // 64), side, 1), bound)
        return texture, *self._paintings[step, pooled]


class AttentionViews:
    """The wall of all heads and the matrices of one. `head` is None for a model without attention."""

    def __init__(self, engine: PassTensors) -> None:
        self.wall = AttentionWall(engine)
        self.head = AttentionHead(engine) if self.wall.layers else None
