"""A matrix product of the generic programs: its operands, and what is done to the result before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

import wgpu

from compute.models.operations import Attention, Linear, Norm, RmsNorm

from .activation_buffers import ActivationBlock


@dataclass(frozen=True)
class Product:
    """y [rows, out] = x [rows, in] times the transposed weight, then the epilogue of wgsl/forward/common/epilogue.wgsl.

    block: where the results are kept, None to keep nothing; kept: the names of the product and of what the epilogue
    makes of it; state: the state to run with, None for that of the program. For the kernels of the tiled program
    alone: norm: what x becomes as it is read, None for x itself; keeps_norm: the block gets that, too; attention: whose
    keys or values are among the results and go to its cache, None for other results.
    """

    linear: Linear
    x: wgpu.GPUBuffer
    y: wgpu.GPUBuffer
    rows: int
    epilogue: str = "none"
    block: ActivationBlock | None = None
    kept: tuple[str, ...] = ()
    state: wgpu.GPUBuffer | None = None
    norm: Norm | None = None
    keeps_norm: bool = False
    attention: Attention | None = None

    @property
    def offsets(self) -> list[int]:
        """Where the kept results begin in the block, in elements; of a norm even if it is not kept."""
        results = [self.block.offsets[name] for name in self.kept] if self.block else []
        if self.norm is None:
            return results
        return [self.block.offsets[self.norm.output] if self.block else 0, *results]

    @property
    def label(self) -> str:
        """The name of the tensor that the dispatch writes."""
        return self.kept[-1] if self.kept else self.linear.output


def norm_values(norm: Norm | None, *, kept: bool) -> dict[str, str | bool]:
    """What the kernel of a product is made for that reads rows through `norm`. kept: it keeps them, too."""
    if norm is None:
        return {"norm": ""}
    offset = norm.offset if isinstance(norm, RmsNorm) else 0.0
    return {
        "norm": "rms" if isinstance(norm, RmsNorm) else "layer", "epsilon": repr(norm.epsilon),
        "shift": norm.shift is not None, "offset": repr(offset) if offset else "", "norm_trace": kept,
    }  # fmt: skip


def cache_values(attention: Attention | None, output: str, context: int) -> dict[str, str | int]:
    """What the kernel of the product `output` is made for that stores keys and values of `attention`."""
    if attention is None:
        return {"stored": ""}
    parts = {"key": attention.key, "value": attention.value}
    stored = {name: heads for name, heads in parts.items() if heads.source == output}
    places = {f"{name}_{at}": getattr(heads, at) for name, heads in stored.items() for at in ("first", "step")}
    return {
        "stored": " ".join(stored), "kv_heads": attention.kv_heads, "head_size": attention.head_size,
        "context": context, **places,
    }  # fmt: skip


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
