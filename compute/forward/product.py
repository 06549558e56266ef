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
