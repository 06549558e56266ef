"""A matrix product of the generic programs: its operands, and what is done to the result before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

import wgpu

from compute.models.operations import Linear

from .activation_buffers import ActivationBlock


@dataclass(frozen=True)
class Product:
    """y [rows, out] = x [rows, in] times the transposed weight, then the epilogue of wgsl/forward/common/epilogue.wgsl.

    block: where the results are kept, None to keep nothing; kept: the names of the product and of what the epilogue
    makes of it; state: the state to run with, None for that of the program.
    """

    linear: Linear
    x: wgpu.GPUBuffer
    y: wgpu.GPUBuffer
    rows: int
    epilogue: str = "none"
    block: ActivationBlock | None = None
    kept: tuple[str, ...] = ()
    state: wgpu.GPUBuffer | None = None

    @property
    def offsets(self) -> list[int]:
        """Where the kept results begin in the block, in elements."""
        return [self.block.offsets[name] for name in self.kept] if self.block else []

    @property
    def label(self) -> str:
        """The name of the tensor that the dispatch writes."""
        return self.kept[-1] if self.kept else self.linear.output


@dataclass(frozen=True)
class ProductTile:
    """What a workgroup computes: some outputs for some rows."""

    rows: int
    outputs: int

    def groups(self, rows: int, outputs: int) -> tuple[int, int, int]:
        """The grid for a product of that size, whose rows are a multiple of the tile's or all in one tile."""
        return (rows // self.rows, -(-outputs // self.outputs), 1)


def lane_tile(lanes: int, rows: int) -> ProductTile:
    """The tile of forward/matmul_lanes for a dispatch of `rows` rows."""
    return ProductTile(min(rows, 4), lanes * 4)
