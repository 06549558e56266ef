"""Checks of the matrix products: kernels, storages, types, epilogues, division into shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compute.forward.product import ProductTile, lane_tile
from compute.forward.tiled_program import HEAD_OUTS
from compute.forward.tiling import FewRows, Tiles, Tiling
from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.gpu.subgroups import NO_SUBGROUPS, subgroup_lanes, team_size
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import TensorStorage
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.dtypes import DTYPES

from . import reference
from .check import KERNEL, Check, Errors, Skipped
from .gpu import UNTOUCHED, Gpu, bound
from .models import layouts, normal

OFFSET = 64  # elements before a kept result
FIRST_ROW = 3  # context row of a chunk's first row


@dataclass(frozen=True)
class Product:
    """x [rows, inputs] times a matrix [outputs, inputs] transposed, plus a bias.

    valid: rows of the chunk in use; at_once: rows per dispatch; shards: rows at which the matrix is cut; tiling: None
    for the rows and lanes kernels; per_thread: outputs per thread of the rows kernel; lanes: threads of a subgroup for
    the lanes kernel, 0 for the others. The kernels with a tiling take all rows at once, from storage buffers.
    """

    inputs: int
    outputs: int
    rows: int
    kind: str = "buffer"
    dtype: str = "f32"
    epilogue: str = "none"
    space: str = "uniform"
    bias: bool = True
    trace: bool = True
    valid: int | None = None
    at_once: int | None = None
    shards: Sequence[int] = ()
    tiling: Tiling | None = None
    per_thread: int = 1
    subgroups: bool = False
    lanes: int = 0

    @property
    def kernel(self) -> str:
        """The name of the kernel."""
        if self.lanes:
            return "forward/matmul_lanes"
        return self.tiling.kernel if self.tiling else "forward/matmul_rows"

    @property
    def shape(self) -> str:
        """The sizes as text."""
        return f"[{self.rows}, {self.inputs}] x [{self.outputs}, {self.inputs}]"


def run(
    gpu: Gpu, case: Product, x: np.ndarray, storage: TensorStorage, bias: np.ndarray | None, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, which was `before`, and the kept product and result for FIRST_ROW + rows context rows."""
    rows, outputs = case.rows, case.outputs
    kept = (FIRST_ROW + rows) * outputs
    activations, y = gpu.empty(OFFSET + 2 * kept), gpu.buffer(before)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=rows if case.valid is None else case.valid),
        "x": gpu.buffer(x),
        "y": y,
    }
    if case.trace:
        resources["activations"] = activations
    if bias is not None:
        resources["bias"] = gpu.buffer(bias)
    offsets = (OFFSET, OFFSET + kept)
    if case.tiling is not None:
        gpu.run(*_tiled(gpu, case, case.tiling, storage, resources, offsets))
    else:
        gpu.run(*_rows(gpu, case, storage, resources, offsets))
    both = gpu.read(activations, 2, FIRST_ROW + rows, outputs, offset=OFFSET)
    return gpu.read(y, rows, outputs), both[0], both[1]


def _rows(
    gpu: Gpu, case: Product, storage: TensorStorage, resources: dict[str, Resource], offsets: tuple[int, int]
) -> Iterator[Dispatch]:
    at_once, x = case.at_once or case.rows, resources["x"]
    common: dict[str, str | int | bool] = {
        "inputs": case.inputs, "outputs": case.outputs, "dtype": storage.dtype, "tile": storage.tile,
        "bias": "bias" in resources, "epilogue": case.epilogue, "trace": case.trace,
        "uniform_rows": at_once if case.space == "uniform" else 0,
    }  # fmt: skip
    if case.lanes:
        tile = lane_tile(case.lanes, at_once)
        outs = tile.outputs // case.lanes
        own: dict[str, str | int] = {"rows": tile.rows, "outs": outs, "lanes": case.lanes}
    else:
        tile = ProductTile(at_once, 32 * case.per_thread)
        own = {"rows": at_once, "storage": storage.kind, "per_thread": case.per_thread}
    kernel = gpu.kernels.get(case.kernel, **common, **own)
    for first in range(0, case.rows, at_once):
        part = (x, 4 * first * case.inputs, 4 * at_once * case.inputs)
        for shard in storage.shards:
            parts: dict[str, Resource] = {
                "params": gpu.params(first, shard.first_row, shard.rows, *offsets),
                "x": part if case.space == "uniform" else x,
                "weight": bound(shard),
            }
            yield kernel.dispatch(tile.groups(at_once, shard.rows), {**resources, **parts})


def _tiled(
    gpu: Gpu,
    case: Product,
    tiling: Tiling,
    storage: TensorStorage,
    resources: dict[str, Resource],
    offsets: tuple[int, int],
) -> Iterator[Dispatch]:
    team = team_size(gpu.kernels) if case.subgroups else NO_SUBGROUPS
    kernel = gpu.kernels.get(
        case.kernel, inputs=case.inputs, outputs=case.outputs, dtype=storage.dtype, bias="bias" in resources,
        epilogue=case.epilogue, trace=case.trace, norm="", stored="", **tiling.values(team),
    )  # fmt: skip
    for shard in storage.shards:
        params = gpu.params(shard.first_row, shard.rows, *offsets)
        groups = (-(-shard.rows // tiling.outs), -(-case.rows // tiling.rows), 1)
        yield kernel.dispatch(groups, {**resources, "params": params, "weight": bound(shard)})


def product(gpu: Gpu, case: Product) -> Check:
    """The result, its kept copies, and the memory that must stay unchanged."""
    valid = case.rows if case.valid is None else case.valid
    x = normal(case.rows, case.inputs)
    bias = normal(case.outputs, seed=1) if case.bias else None
    storage, weight = gpu.weight(
        normal(case.outputs, case.inputs, seed=2), case.kind, case.dtype, shards=case.shards
    )  # fmt: skip
    before = normal(case.rows, case.outputs, seed=3)
    y, kept, after = run(gpu, case, x, storage, bias, before)
    expected = reference.linear(x.astype(np.float64), weight, bias)
    result = _after(case.epilogue, expected, before)
    errors = Errors()
    errors.close(y[:valid], result[:valid], "result")
    if case.tiling is not None:  # the rows kernel computes unused rows as well
        errors.same(y[valid:], before[valid:], "unused rows")
    rows = slice(FIRST_ROW, FIRST_ROW + valid) if case.trace else slice(0, 0)
    errors.close(kept[rows], expected[: rows.stop - rows.start], "kept product")
    stored = [kept]
    if case.epilogue == "none":
        errors.same(bool((after == UNTOUCHED).all()), True, "memory of another result")
    else:
        errors.close(after[rows], result[: rows.stop - rows.start], "kept result")
        stored.append(after)
    for memory in stored:
        others = np.delete(memory, rows, axis=0)
        errors.same(bool((others == UNTOUCHED).all()), True, "memory of other rows")
    return errors.check(case.kernel, f"{case.shape} {case.dtype} in a {case.kind}", KERNEL)


def _after(epilogue: str, expected: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The product `expected` after the epilogue, for a stream that was `before`."""
    if epilogue == "none":
        return expected
    return before + expected if epilogue == "residual" else reference.ACTIVATIONS[epilogue](expected)


def head_rows(gpu: Gpu, inputs: int, outputs: int, valid: int, dtype: str, shards: Sequence[int] = ()) -> Check:
    """The head's product over 32 rows, `valid` of them in use."""
    x, bias = normal(32, inputs), normal(outputs, seed=1)
    storage, weight = gpu.weight(normal(outputs, inputs, seed=2), "buffer", dtype, shards=shards)
    y = gpu.empty(32 * outputs)
    kernel = gpu.kernels.get(
        "forward/head_rows", inputs=inputs, outputs=outputs, outs=HEAD_OUTS, dtype=dtype, bias=True
    )
    for shard in storage.shards:
        resources: dict[str, Resource] = {
            "state": gpu.state(rows=valid), "params": gpu.params(shard.first_row, shard.rows), "x": gpu.buffer(x),
            "weight": bound(shard), "logits": y, "bias": gpu.buffer(bias),
        }  # fmt: skip
        gpu.run(kernel.dispatch((2, -(-shard.rows // (32 * HEAD_OUTS)), 1), resources))
    found, errors = gpu.read(y, 32, outputs), Errors()
    errors.close(found[:valid], reference.linear(x.astype(np.float64), weight, bias)[:valid], "result")
    errors.same(bool((found[valid:] == UNTOUCHED).all()), True, "unused rows")
    return errors.check("forward/head_rows", f"[{valid}, {inputs}] x [{inputs}, {outputs}], {dtype}", KERNEL)


def gelu_extremes(gpu: Gpu) -> Check:
    """GELU from -1e30 to 1e30, including small results: a form with cancellation would give 0 at -5."""
    x = np.array([[-1e30, -50, -10, -5, -1e-3, 0, 1e-3, 1, 5, 10, 50, 1e30]], np.float32)
    case = Product(12, 12, 1, epilogue="gelu", trace=False)
    storage, _ = gpu.weight(np.eye(12, dtype=np.float32), "buffer", "f32")
    y, _, _ = run(gpu, case, x, storage, None, np.zeros((1, 12)))
    expected = reference.gelu(x.astype(np.float64))
    errors = Errors()
    for value, found, wanted in zip(x[0], y[0], expected[0], strict=True):
        # Relative to the result itself, down to values where the float32 tanh is 1.
        scale = max(abs(wanted), 1e-5)
        errors.close(found / scale, wanted / scale, f"gelu({value:g})")
    return errors.check("gelu of extreme values", "[1, 12]", 2e-4)


def checks(gpu: Gpu) -> Iterator[Check | Skipped]:
    """The checks of this group."""
    for kind in layouts(is_software(gpu.device.adapter)):
        for dtype in DTYPES:
            for inputs, outputs, rows in ((20, 36, 1), (36, 100, 16)):
                yield product(gpu, Product(inputs, outputs, rows, kind, dtype))
            yield product(gpu, Product(36, 300, 16, kind, dtype, bias=False, trace=False, per_thread=4))
        yield product(gpu, Product(36, 20, 16, kind, "bf16", "gelu", valid=5))
        yield product(gpu, Product(36, 20, 16, kind, "bf16", "residual", "storage", valid=5))
        yield product(gpu, Product(64, 33, 16, kind, "f32", bias=False, at_once=4, valid=7))
    yield product(gpu, Product(20, 100, 16, "buffer", "f16", shards=(33, 66, 99)))
    yield product(gpu, Product(36, 250, 16, "buffer", "f32", shards=(33, 166), trace=False, per_thread=4))
    yield product(gpu, Product(36, 100, 1, "buffer", "f32", trace=False))
    yield product(gpu, Product(36, 20, 16, "buffer", "f32", "relu", valid=5))
    yield product(gpu, Product(36, 100, 33, "buffer", "f16", shards=(33, 66, 99), tiling=Tiles(4, 4, 8, 8, depth=16)))
    yield product(gpu, Product(20, 36, 70, "buffer", "f32", "relu", bias=False, valid=65, tiling=Tiles(8, 4, 8, 4, 2)))
    yield product(
        gpu, Product(100, 20, 16, "buffer", "bf16", "residual", bias=False, valid=5, tiling=Tiles(2, 4, 8, 5, 4))
    )
    yield product(
        gpu, Product(100, 36, 37, "buffer", "bf16", "residual", valid=35, tiling=Tiles(4, 4, 4, 3, 4, buffers=1))
    )
    yield product(gpu, Product(132, 40, 18, "buffer", "f16", bias=False, shards=(33,), tiling=Tiles(4, 8, 4, 3, 2, 4)))
    for subgroups in (True, False):
        case = Product(300, 21, 20, "buffer", "bf16", "residual", valid=19, shards=(9,), tiling=FewRows(16, 4, 64))
        yield product(gpu, replace(case, subgroups=subgroups))
    yield product(gpu, Product(36, 7, 6, "buffer", "f32", "relu", bias=False, valid=5, tiling=FewRows(4, 2, 64)))
    for dtype in DTYPES:
        yield head_rows(gpu, 36, 300, 20, dtype, shards=(133,))
    yield from _quantized(gpu)
    yield from _lanes(gpu)
    yield gelu_extremes(gpu)


def _quantized(gpu: Gpu) -> Iterator[Check]:
    """Products with each quantized type."""
    kind = layouts(is_software(gpu.device.adapter))[0]
    for dtype, block in BLOCK_TYPES.items():
        # An odd number of blocks, so that packs of scales and high bits are filled in part.
        inputs = block.values * (3 if block.super_blocks else 9)
        yield product(gpu, Product(inputs, 21, 1, kind, dtype))
        yield product(gpu, Product(inputs, 37, 4, kind, dtype, "residual", valid=3, per_thread=2))
        inputs = block.values * (1 if block.super_blocks else 3)
        yield product(
            gpu, Product(inputs, 70, 20, "buffer", dtype, shards=(33,), valid=19, tiling=Tiles(4, 4, 4, 8, 2))
        )
    yield head_rows(gpu, 96, 70, 20, "q8_0", shards=(33,))
    yield head_rows(gpu, 256, 70, 20, "q6_k", shards=(33,))


def _lanes(gpu: Gpu) -> Iterator[Check | Skipped]:
    """Products by whole subgroups, from textures: all sizes of the last block, one tile of rows and more."""
    lanes = subgroup_lanes(gpu.kernels)
    if not lanes:
        yield Skipped("forward/matmul_lanes", "the size of subgroups is unknown")
        return
    for dtype in DTYPES:
        for inputs, outputs, rows in ((20, 36, 1), (36, 100, 16), (64, 33, 2)):
            yield product(gpu, Product(inputs, outputs, rows, "texture", dtype, lanes=lanes))
    for inputs in range(4, 32, 4):
        yield product(gpu, Product(inputs + 64, 20, 4, "texture", "bf16", "gelu", valid=3, lanes=lanes))
    yield product(gpu, Product(36, 20, 16, "texture", "bf16", "residual", "storage", valid=5, lanes=lanes))
    yield product(gpu, Product(64, 33, 16, "texture", "f32", bias=False, at_once=4, valid=7, lanes=lanes))
    yield product(gpu, Product(36, 300, 16, "texture", "f16", bias=False, trace=False, lanes=lanes))
    for dtype, block in BLOCK_TYPES.items():
        inputs = block.values * (3 if block.super_blocks else 9)
        yield product(gpu, Product(inputs, 21, 1, "texture", dtype, lanes=lanes))
        yield product(gpu, Product(inputs, 37, 4, "texture", dtype, "residual", valid=3, lanes=lanes))
