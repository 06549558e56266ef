"""How matrix products over many rows are divided among the workgroups of a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class FewRows:
    """A workgroup computes `outs` outputs for `rows` rows; its `threads` share the sum over the inputs."""

    rows: int
    outs: int
    threads: int
    kernel = "forward/matmul_few"

    def values(self, team: tuple[int, bool]) -> dict[str, int | bool]:
        """What the kernel is made for; team: see `subgroups.team_size`."""
        lanes, subgroups = team
        return {
            "rows": self.rows, "outs": self.outs, "threads": self.threads, "lanes": lanes,
            "subgroups": subgroups and self.threads % lanes == 0,
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

_FEW, _SHORT = 16, 64  # rows up to which the matrix costs more than the rows, and about as much
_BUSY = 128  # workgroups that keep most GPUs busy
_LONG_SUM = 2048  # inputs


def tiling_of(rows: int, inputs: int, outputs: int, workgroup_bytes: int) -> Tiling:
    """The division of a product [rows, inputs] x [inputs, outputs] on an adapter with so much workgroup memory."""
    wide = outputs > 2 * inputs
    if rows <= _FEW:
        return FewRows(16, 4 if wide else 2, 128 if inputs >= _LONG_SUM else 64)
    if rows <= _SHORT and outputs <= inputs:
        return FewRows(16, 4, 64)
    for tiling in (Tiles(4, 1), Tiles(2, 1), Tiles(4, 4), Tiles(2, 4)):
        tiles = -(-rows // tiling.rows) * -(-outputs // tiling.outs)
        if tiles >= _BUSY and tiling.nbytes <= workgroup_bytes:
            return tiling
    return Tiles(4, 4) if Tiles(4, 4).nbytes <= workgroup_bytes else Tiles(2, 4)
