"""How matrix products over many rows are divided among the workgroups of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import wgpu

from compute.gpu.subgroups import NO_SUBGROUPS


@dataclass(frozen=True)
class FewRows:
    """A workgroup has `squads` of `threads` threads; each computes `each` outputs for `rows` rows.

    The threads of a squad share the sum over the inputs. wide: load 8 weights of 16 bits at once; ahead: loads of each
    output that are under way before they are needed; without a loop if that is all of them.
    """

    rows: int
    each: int
    threads: int
    squads: int = 1
    wide: bool = False
    ahead: int = 2
    kernel = "forward/matmul_few"

    @property
    def outs(self) -> int:
        """Outputs of a workgroup."""
        return self.each * self.squads

    @property
    def nbytes(self) -> int:
        """Bytes of workgroup memory, at most: without subgroups."""
        return 4 * (self.rows + 1) * self.threads * self.squads + 8 * self.rows

    def values(self, team: tuple[int, bool]) -> dict[str, int | bool]:
        """What the kernel is made for; team: see `subgroups.team_size`."""
        lanes, subgroups = team
        subgroups = subgroups and self.threads % lanes == 0
        return {
            "rows": self.rows, "each": self.each, "threads": self.threads, "squads": self.squads, "wide": self.wide,
            "ahead": self.ahead, "lanes": lanes if subgroups else NO_SUBGROUPS[0], "subgroups": subgroups,
        }  # fmt: skip


@dataclass(frozen=True)
class Tiles:
    """A workgroup computes a tile. `split` groups of `down` x `across` threads share the sum over the inputs.

    tall, wide: rows and outputs of a thread; depth: inputs of a group per step, a multiple of 4; buffers: steps whose
    inputs have workgroup memory at the same time. With two, a step needs one barrier instead of two.
    """

    tall: int
    wide: int
    down: int
    across: int
    split: int = 1
    depth: int = 8
    buffers: int = 2
    kernel = "forward/matmul_tiled"

    @property
    def rows(self) -> int:
        """Rows of a tile."""
        return self.tall * self.down

    @property
    def outs(self) -> int:
        """Outputs of a tile."""
        return self.wide * self.across

    @property
    def threads(self) -> int:
        """Threads of a workgroup."""
        return self.down * self.across * self.split

    @property
    def nbytes(self) -> int:
        """Bytes of workgroup memory."""
        quads = self.depth // 4 * self.split
        sums = self.split * self.down * (self.outs + (0 if self.outs % 8 else 4))
        return 16 * self.buffers * (self.rows + self.outs) * (quads + (0 if quads % 2 else 1)) + 4 * sums

    def values(self, team: tuple[int, bool]) -> dict[str, int | bool]:
        """What the kernel is made for."""
        return {
            "tall": self.tall, "wide": self.wide, "down": self.down, "across": self.across, "split": self.split,
            "depth": self.depth, "buffers": self.buffers,
        }  # fmt: skip


Tiling: TypeAlias = FewRows | Tiles

_SHORT = 64  # rows up to which tiles would leave a GPU waiting for weights
_FEW_GROUPS = 128  # workgroups of few rows that keep most GPUs busy
_EACH = 6  # outputs of a squad: more sums would not fit into a thread's registers beside the weights
_THREADS = 256  # of a workgroup, at most


@dataclass(frozen=True)
class Limits:
    """Of a workgroup on an adapter."""

    nbytes: int
    threads: int

    @classmethod
    def of(cls, device: wgpu.GPUDevice) -> Limits:
        """Those of a device."""
        return cls(
            int(device.limits["max-compute-workgroup-storage-size"]),
            int(device.limits["max-compute-invocations-per-workgroup"]),
        )

    def allow(self, tiles: Tiles) -> bool:
        """True when a workgroup can compute these tiles."""
        return tiles.nbytes <= self.nbytes and tiles.threads <= self.threads


# Of the GPUs that the choice is made for. One of another size still gets enough tiles, if less evenly.
_PROCESSORS = 128
_LOADED = 20  # bytes that a processor can load from the cache of the GPU per cycle
_MULTIPLIED = 128  # multiply-adds of a processor per cycle
_WAIT = 60  # cycles of a barrier
_START = 2500  # cycles until the first values have arrived, and to store the results
_STEP = 32  # inputs of all groups per step, or 8 of each
_BUSY = 256  # threads whose work hides what others wait for
# Rows and outputs of a thread: the share of its multiply-adds that a processor achieves, which is limited by the loads
# from workgroup memory, and the most threads for which it has enough registers.
_THREAD_TILES = {(8, 8): (0.8, 384), (4, 8): (0.65, 640), (8, 4): (0.65, 640), (4, 4): (0.5, 1024)}


@cache
def tiling_of(rows: int, inputs: int, outputs: int, limits: Limits) -> Tiling:
    """The division of a product [rows, inputs] x [inputs, outputs]."""
    if rows <= _SHORT:
        return _few(rows, inputs, outputs, limits.nbytes)
    return min(_candidates(rows, outputs, limits), key=lambda tiles: _cycles(tiles, rows, inputs, outputs))


def _candidates(rows: int, outputs: int, limits: Limits) -> Iterator[Tiles]:
    """Tiles whose number is just below a multiple of the processors, so that the last ones have no fewer."""
    for (tall, wide), (_, most_threads) in _THREAD_TILES.items():
        for down in (4, 8, 16):
            tiles_down = -(-rows // (tall * down))
            for waves in (1, 2, 3, 4):
                tiles_across = max(1, _PROCESSORS * waves // tiles_down)
                across = min(32, max(4, -(-outputs // (wide * tiles_across))))
                for split in (1, 2, 4, 8):
                    tiles = _in_memory(Tiles(tall, wide, down, across, split), limits)
                    if tiles is not None and tiles.threads <= most_threads:
                        yield tiles


def _in_memory(tiles: Tiles, limits: Limits) -> Tiles | None:
    """With the longest steps for which there is workgroup memory, which count more than two buffers."""
    for depth in (32, 16, 8, 4):
        for buffers in (2, 1):
            found = replace(tiles, depth=depth, buffers=buffers)
            if depth * tiles.split <= max(_STEP, 8 * tiles.split) and limits.allow(found):
                return found
    return None


def _cycles(tiles: Tiles, rows: int, inputs: int, outputs: int) -> float:
    """What the busiest processor needs, estimated."""
    count = -(-rows // tiles.rows) * -(-outputs // tiles.outs)
    each = -(-count // _PROCESSORS)
    speed, _ = _THREAD_TILES[tiles.tall, tiles.wide]
    busy = min(1.0, each * tiles.threads / _BUSY)
    area = tiles.rows * tiles.outs
    multiplied = area * inputs / (_MULTIPLIED * speed * busy)
    loaded = (4 * tiles.rows + 2 * tiles.outs) * inputs / _LOADED
    waited = inputs / (tiles.depth * tiles.split) * (3 - tiles.buffers) * _WAIT
    added_up = 2 * area * tiles.split / 32
    return _START + each * (max(multiplied, loaded) + 0.2 * min(multiplied, loaded) + waited + added_up)


def _few(rows: int, inputs: int, outputs: int, workgroup_bytes: int) -> FewRows:
    """About `_FEW_GROUPS` workgroups: each loads all of x, so more of them would load it more often."""
    wanted = outputs * -(-rows // 16) // _FEW_GROUPS  # outputs of a workgroup
    squads = max(1, min(4, round(wanted / _EACH)))
    loads = -(-inputs // (4 * 32)) * 32  # of an output, rounded up to whole subgroups
    while True:
        threads = min(_THREADS // squads // 32 * 32, loads)
        tiling = FewRows(16, _EACH, threads, squads)
        if tiling.nbytes <= workgroup_bytes or squads == 1:
            break
        squads -= 1
    return tiling
