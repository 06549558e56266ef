"""Attention of every head of every layer at once: a small tile per head, and statistics that heads are sorted by.

Rows that a new token leaves unchanged are not computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.forward.edit_points import NOWHERE
from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch
from compute.models.operations import Attention

from .attention_colors import AttentionColors
from .attention_inputs import head_values, query_and_key

TILE = 64  # cells of a tile, per side
STATISTICS = ("entropy", "distance", "previous", "first", "induction")  # order: as in wgsl/attention/totals.wgsl
_NONE = 2**32 - 1  # see wgsl/attention/wall.wgsl
# Products of one channel of a query and a key that one update may compute.
_PRODUCTS_SOFTWARE, _PRODUCTS = 1_000_000, 500_000_000


@dataclass(frozen=True)
class WallPicture:
    """A picture of all tiles, in pixels: `columns` tiles of `side` x `side` side by side, in the order of `heads`.

    heads: indices among all heads of the model, layer by layer; None leaves a gap.
    """

    width: int
    height: int
    columns: int
    pitch_x: int
    pitch_y: int
    side: int
    heads: tuple[int | None, ...]


@dataclass(frozen=True)
class HeadStatistics:
    """Statistics of every head over `rows` tokens: means over the queries from the second on.

    means: float32 [5, heads], a row for each name in `STATISTICS`. entropy: in bits; distance: number of tokens from
    the query back to the key; previous, first: the weight of the previous and of the first token; induction: the weight
    of the token after the latest earlier occurrence of the query's token, over the `repeats` queries for which that is
    an earlier token than the query.
    """

    rows: int
    repeats: int
    means: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """The means of one statistic, float32 [heads]."""
        row: np.ndarray = self.means[STATISTICS.index(name)]
        return row


class AttentionWall:
    """The tiles of all heads. `layers` has the attention of each layer; it is empty for a model without attention."""

    def __init__(self, engine: PassTensors, most: int | None = None) -> None:
        """Allocates buffers; computes nothing yet.

        most: products of one channel that one update may compute, by default as many as fit into a frame.
        """
        self._engine, self.layers = engine, engine.description.attention
        self.heads = sum(attention.heads for attention in self.layers)
        self.rows = 0  # rows that the tiles contain
        self._fresh = np.zeros(engine.context, np.bool_)  # by row: whether the tiles have it as in the latest pass
        self._cursor, self._pool, self._epoch = 0, 1, -1
        device, count = engine.device, max(1, self.heads)
        positions = max(1, len(self.layers) * max((attention.heads for attention in self.layers), default=0))
        self._most = most or products_of(engine)
        usage = wgpu.BufferUsage
        storage = usage.STORAGE | usage.COPY_SRC | usage.COPY_DST
        self._tiles = device.create_buffer(label="attention tiles", size=4 * count * TILE * TILE, usage=storage)
        self._rows = device.create_buffer(label="attention rows", size=32 * count * engine.context, usage=storage)
        self._totals = device.create_buffer(label="attention statistics", size=32 * count, usage=storage)
        self._order = device.create_buffer(label="heads in order", size=4 * positions, usage=storage)
        self._uniforms = {
            name: device.create_buffer(label=f"attention {name}", size=size, usage=usage.UNIFORM | usage.COPY_DST)
            for name, size in (("rows", 16), ("clear", 16), ("totals", 16), ("picture", 32), ("colors", 144))
        }
        self._dispatches, self._edit_changes = self._row_dispatches(), engine.edit_changes
        kernels = engine.kernels
        self._clear = kernels.get("attention/clear", tile=TILE).dispatch(
            (count, 1, 1), {"first": self._uniforms["clear"], "tiles": self._tiles}
        )
        self._sum = kernels.get("attention/totals", context=engine.context).dispatch(
            (count, 1, 1), {"params": self._uniforms["totals"], "rows": self._rows, "totals": self._totals}
        )
        self._readback: AsyncReadback[HeadStatistics] = AsyncReadback(device, "attention statistics")
        self._texture: wgpu.GPUTexture | None = None
        self._paintings: dict[bool, Dispatch] = {}  # into that texture; by whether pixels show several cells
        self._minus: dict[str, Resource] = {}  # what pictures subtract
        self._relative = False

    def _row_dispatches(self) -> list[tuple[Attention, Dispatch]]:
        engine, found, first = self._engine, [], 0
        for attention in self.layers:
            edited = edited_attention(engine, attention)
            layer = engine.device.create_buffer_with_data(
                data=np.array([first, edited.scores, edited.pattern, 0], np.uint32), usage=wgpu.BufferUsage.UNIFORM
            )
            bound = {
                "params": self._uniforms["rows"],
                "state": engine.state_buffer,
                "layer": layer,
                **query_and_key(engine, attention),
                "history": engine.history_buffer,
                "tiles": self._tiles,
                "rows": self._rows,
                **edited.bindings,
            }
            kernel = engine.kernels.get(
                "attention/rows", tile=TILE, scores=edited.scores != NOWHERE, pattern=edited.pattern != NOWHERE,
                **head_values(engine, attention),
            )  # fmt: skip
            found.append((attention, kernel.dispatch((attention.heads, 1, 1), bound, label=attention.pattern)))
            first += attention.heads
        return found

    # -- computing

    @property
    def cells(self) -> int:
        """Cells of a tile that have values, per side."""
        return -(-self.rows // self._pool)

    @property
    def rows_ready(self) -> int:
        """Rows that are as in the latest pass that `update` has seen."""
        return int(self._fresh.sum())

    @property
    def pool(self) -> int:
        """Tokens per cell of a tile."""
        return self._pool

    @property
    def complete(self) -> bool:
        """True when the tiles contain the engine's latest pass."""
        rows, epoch = self._engine.registry.rows, self._engine.epoch
        same = self.rows == rows and self._epoch == epoch
        return not self.heads or not rows or (same and bool(self._fresh[:rows].all()))

    def update(self) -> bool:
        """Submit the work for rows that have changed, or for some of them when there are many. Never blocks.

        The tensors must belong to one whole pass. Returns True when it has submitted anything.
        """
        if self.complete:
            return False
        if self._edit_changes != self._engine.edit_changes:
            self._dispatches, self._edit_changes = self._row_dispatches(), self._engine.edit_changes
        self._notice()
        work = self._work(*self._slice())
        encoder = ComputeEncoder(self._engine.device)
        encoder.run(work)
        encoder.submit()
        return True

    def _notice(self) -> None:
        """Find out which rows have changed since the last call."""
        rows, epoch = self._engine.registry.rows, self._engine.epoch
        pool = pool_for(rows)
        if epoch != self._epoch or pool != self._pool:
            self._fresh[:] = False
        self._fresh[rows:] = False
        self.rows, self._pool, self._epoch = rows, pool, epoch

    def _slice(self) -> tuple[int, int]:
        """The next rows to compute, from a first one to an end: as many as one update can afford.

        Continues where the last call ended, so that every row gets its turn when all change with every token.
        """
        stale = np.flatnonzero(~self._fresh[: self.rows])
        later = stale[stale >= self._cursor]
        first = int(later[0] if len(later) else stale[0])
        block = first // self._pool * self._pool
        if not self._fresh[block:first].all():
            first = block  # a block keeps only the largest weight: it is computed as a whole, or added to
        known = np.flatnonzero(self._fresh[first : self.rows])
        end = first + int(known[0]) if len(known) else self.rows
        width = sum(attention.heads * attention.head_size for attention in self.layers)
        pairs = self._most // width
        while end - first > 1 and (end * (end + 1) - first * (first + 1)) // 2 > pairs:
            end = first + (end - first + 1) // 2
        if end < self.rows:
            end = min(self.rows, max(first // self._pool + 1, end // self._pool) * self._pool)
        return first, end

    def _work(self, first: int, end: int) -> list[Dispatch]:
        """The work for rows `first` to `end`."""
        self._fresh[first:end] = True
        self._cursor = end
        queue, work = self._engine.device.queue, []
        queue.write_buffer(self._uniforms["rows"], 0, np.array([first, self._pool, 0, 0], np.uint32))
        begun = -(-first // self._pool)
        blocks = -(-end // self._pool) - begun
        if self._pool > 1 and blocks:
            queue.write_buffer(self._uniforms["clear"], 0, np.array([begun, 0, 0, 0], np.uint32))
            work.append(self._clear.over((self.heads, blocks, 1)))
        for attention, dispatch in self._dispatches:
            work.append(dispatch.over((attention.heads, end - first, 1)))
        return work

    # -- statistics

    def request_statistics(self) -> bool:
        """Compute and fetch the statistics of the rows computed so far. False while others are in flight."""
        rows = self.rows
        if not self.heads or not rows:
            return False
        self._engine.device.queue.write_buffer(self._uniforms["totals"], 0, np.array([rows, 0, 0, 0], np.uint32))
        return self._readback.request(
            self._totals, 32 * self.heads, lambda data: head_statistics(data, rows), [self._sum]
        )

    def take_statistics(self) -> HeadStatistics | None:
        """The requested statistics; returned once, None until they have arrived."""
        return self._readback.take()

    # -- painting

    def paint(self, picture: WallPicture, colors: AttentionColors) -> wgpu.GPUTexture:
        """Submit the work that paints the tiles. Returns a texture (rgba8unorm), which is replaced with the size.

        Alpha is 0 between tiles.
        """
        queue = self._engine.device.queue
        dispatch = self._painting(picture)
        params = np.array(
            [
                picture.width, picture.height, picture.columns, len(picture.heads), picture.pitch_x, picture.pitch_y,
                picture.side, max(1, self.cells),
            ],
            np.uint32,
        )  # fmt: skip
        queue.write_buffer(self._uniforms["picture"], 0, params)
        queue.write_buffer(self._uniforms["colors"], 0, colors.data)
        order = np.array([_NONE if head is None else head for head in picture.heads], np.uint32)
        queue.write_buffer(self._order, 0, order)
        encoder = ComputeEncoder(self._engine.device)
        encoder.run([dispatch])
        encoder.submit()
        assert self._texture is not None
        return self._texture

    def _painting(self, picture: WallPicture) -> Dispatch:
        """The dispatch that paints a picture into a texture of its size."""
        size, pooled = (picture.width, picture.height), picture.side < self.cells
        if self._texture is None or self._texture.size[:2] != size:
            self._texture = picture_texture(self._engine.device, "attention wall", *size)
            self._paintings.clear()
        if pooled not in self._paintings:
            bound = {
                "params": self._uniforms["picture"],
                "colors": self._uniforms["colors"],
                "order": self._order,
                "tiles": self._tiles,
                "picture": self._texture,
                **self._minus,
            }
            kernel = self._engine.kernels.get(
                "attention/wall", tile=TILE, pooled=pooled, difference=bool(self._minus), relative=self._relative
            )
            self._paintings[pooled] = kernel.dispatch((-(-picture.width // 64), picture.height, 1), bound)
        return self._paintings[pooled]


@dataclass(frozen=True)
class EditedAttention:
    """The points of scores and pattern in the list of edits, `NOWHERE` without any, and the bindings of the list."""

    scores: int
    pattern: int
    bindings: dict[str, Resource]

    @property
    def any(self) -> bool:
        """True when attention edits either."""
        return bool(self.bindings)


def edited_attention(engine: PassTensors, attention: Attention) -> EditedAttention:
    """What the edits in force change inside this attention."""
    found = engine.attention_points(attention)
    if found is None:
        return EditedAttention(NOWHERE, NOWHERE, {})
    points, scores, pattern = found
    return EditedAttention(scores, pattern, points.edits.bindings)


def products_of(engine: PassTensors) -> int:
    """Products of one channel of a query and a key that one update may compute within a frame."""
    return _PRODUCTS_SOFTWARE if is_software(engine.device.adapter) else _PRODUCTS


def pool_for(rows: int) -> int:
    """Tokens per cell of a tile: the smallest power of two with which `rows` tokens fit."""
    pool = 1
    while pool * TILE < rows:
        pool *= 2
    return pool


def head_statistics(data: bytes, rows: int) -> HeadStatistics:
    """The statistics from the buffer that wgsl/attention/totals.wgsl writes."""
    table = np.frombuffer(data, np.float32).reshape(-1, 8).copy()
    return HeadStatistics(rows, int(table[0, 5]), table[:, :5].T)


def picture_texture(device: wgpu.GPUDevice, label: str, width: int, height: int) -> wgpu.GPUTexture:
    """A texture that a compute pass paints and imgui shows."""
    usage = wgpu.TextureUsage
    return device.create_texture(
        label=label,
        size=(width, height, 1),
        format="rgba8unorm",
        usage=usage.STORAGE_BINDING | usage.TEXTURE_BINDING | usage.COPY_SRC,
    )


def flat_heads(layers: Sequence[Attention]) -> list[tuple[int, int]]:
    """(layer, head) of every head, in the order of their indices."""
    return [(layer, head) for layer, attention in enumerate(layers) for head in range(attention.heads)]
