"""How matrix products over many rows are divided among the workgroups of a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

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
    """A workgroup computes a tile in shared memory; `split` groups of its threads share the sum over the inputs.

    tall: rows per thread, 2 or 4; split: 1 or 4.
    """

    tall: int
    split: int
    kernel = "forward/matmul_tiled"

    @property
    def rows(self) -> int:
        """Rows of a tile."""
        return (16 if self.split == 1 else 8) * self.tall

    @property
    def outs(self) -> int:
        """Outputs of a tile."""
        return 64 if self.split == 1 else 32

    @property
    def nbytes(self) -> int:
        """Bytes of workgroup memory."""
        return 64 * self.split * (self.rows + self.outs + 8)

    def values(self, team: tuple[int, bool]) -> dict[str, int | bool]:
        """What the kernel is made for."""
        return {"tall": self.tall, "split": self.split}


Tiling: TypeAlias = FewRows | Tiles

_SHORT = 64  # rows up to which tiles would leave a GPU waiting for weights
_BUSY = 128  # workgroups that keep most GPUs busy
_EACH = 6  # outputs of a squad: more sums would not fit into a thread's registers beside the weights
_THREADS = 256  # of a workgroup, at most


def tiling_of(rows: int, inputs: int, outputs: int, workgroup_bytes: int) -> Tiling:
    """The division of a product [rows, inputs] x [inputs, outputs] on an adapter with so much workgroup memory."""
    if rows <= _SHORT:
        return _few(rows, inputs, outputs, workgroup_bytes)
    for tiling in (Tiles(4, 1), Tiles(2, 1), Tiles(4, 4), Tiles(2, 4)):
        tiles = -(-rows // tiling.rows) * -(-outputs // tiling.outs)
        if tiles >= _BUSY and tiling.nbytes <= workgroup_bytes:
            return tiling
    return Tiles(4, 4) if Tiles(4, 4).nbytes <= workgroup_bytes else Tiles(2, 4)


def _few(rows: int, inputs: int, outputs: int, workgroup_bytes: int) -> FewRows:
    """About `_BUSY` workgroups: each loads all of x, so more of them would load it more often."""
    wanted = outputs * -(-rows // 16) // _BUSY  # outputs of a workgroup
    squads = max(1, min(4, round(wanted / _EACH)))
    loads = -(-inputs // (4 * 32)) * 32  # of an output, rounded up to whole subgroups
    while True:
        threads = min(_THREADS // squads // 32 * 32, loads)
        tiling = FewRows(16, _EACH, threads, squads)
        if tiling.nbytes <= workgroup_bytes or squads == 1:
            break
        squads -= 1
    return tiling
