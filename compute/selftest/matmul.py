"""Checks of the rows program's matrix product: every storage, type, epilogue and division into shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.models.registry import TensorStorage
from compute.weights.dtypes import DTYPES

from . import reference
from .check import KERNEL, Check, Errors
from .gpu import UNTOUCHED, Gpu, bound
from .models import layouts, normal

OFFSET = 64  # elements before a kept result
FIRST_ROW = 3  # context row of a chunk's first row


@dataclass(frozen=True)
class Product:
    """x [rows, inputs] times a matrix [outputs, inputs] transposed, plus a bias.

    valid: rows of the chunk in use; at_once: rows per dispatch; shards: rows at which the matrix is cut.
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

    @property
    def shape(self) -> str:
        """The sizes as text."""
        return f"[{self.rows}, {self.inputs}] x [{self.outputs}, {self.inputs}]"


def run(
    gpu: Gpu, case: Product, x: np.ndarray, storage: TensorStorage, bias: np.ndarray | None, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, which was `before`, and the kept product and result for FIRST_ROW + rows context rows."""
    rows, outputs, at_once = case.rows, case.outputs, case.at_once or case.rows
    kernel = gpu.kernels.get(
        "forward/matmul_rows", inputs=case.inputs, outputs=outputs, rows=at_once, x_space=case.space,
        storage=storage.kind, dtype=storage.dtype, tile=storage.tile, bias=bias is not None, epilogue=case.epilogue,
        trace=case.trace,
    )  # fmt: skip
    kept = (FIRST_ROW + rows) * outputs
    x_buffer, activations, y = gpu.buffer(x), gpu.empty(OFFSET + 2 * kept), gpu.buffer(before)
    state = gpu.state(first_row=FIRST_ROW, rows=rows if case.valid is None else case.valid)
    work = []
    for first in range(0, rows, at_once):
        part = (x_buffer, 4 * first * case.inputs, 4 * at_once * case.inputs)
        for shard in storage.shards:
            resources: dict[str, Resource] = {
                "state": state,
                "params": gpu.params(first, shard.first_row, shard.rows, OFFSET, OFFSET + kept),
                "x": part if case.space == "uniform" else x_buffer,
                "weight": bound(shard),
                "y": y,
            }
            if case.trace:
                resources["activations"] = activations
            if bias is not None:
                resources["bias"] = gpu.buffer(bias)
            work.append(kernel.dispatch((-(-shard.rows // 32), 1, 1), resources))
    gpu.run(*work)
    both = gpu.read(activations, 2, FIRST_ROW + rows, outputs, offset=OFFSET)
    return gpu.read(y, rows, outputs), both[0], both[1]


def product(gpu: Gpu, case: Product, name: str = "forward/matmul_rows") -> Check:
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
    result = {"none": expected, "gelu": reference.gelu(expected), "residual": before + expected}[case.epilogue]
    errors = Errors()
    errors.close(y[:valid], result[:valid], "result")
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
    return errors.check(name, f"{case.shape} {case.dtype} in a {case.kind}", KERNEL)


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


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for kind in layouts(is_software(gpu.device.adapter)):
        for dtype in DTYPES:
            for inputs, outputs, rows in ((20, 36, 1), (36, 100, 16)):
                yield product(gpu, Product(inputs, outputs, rows, kind, dtype))
        yield product(gpu, Product(36, 20, 16, kind, "bf16", "gelu", valid=5))
        yield product(gpu, Product(36, 20, 16, kind, "bf16", "residual", "storage", valid=5))
        yield product(gpu, Product(64, 33, 16, kind, "f32", bias=False, at_once=4, valid=7))
    yield product(gpu, Product(20, 100, 16, "buffer", "f16", shards=(33, 66, 99)))
    yield product(gpu, Product(36, 100, 1, "buffer", "f32", trace=False))
    yield gelu_extremes(gpu)
