"""Checks of the kernels that compute each value from one element of each input: rows of a table, sums, activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compute.gpu.device import is_software
from compute.gpu.kernels import Kernel, Resource
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.dtypes import DTYPES

from . import reference
from .check import KERNEL, Check, Errors
from .gpu import UNTOUCHED, Gpu, bound
from .matmul import FIRST_ROW, OFFSET
from .models import layouts, normal

_TABLE = 23  # rows of a table
_START = 2  # history index of context row 0
# NaNs of both signs, with the largest and the smallest payloads.
_NANS = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
_EXTREMES = np.array([np.inf, -np.inf, 0.0, -0.0, 3.4e38, -3.4e38, 1.0, -1.0], np.float32)


class Chunk:
    """A chunk of `rows` rows from context row FIRST_ROW on, `valid` of them in use, and the result of a kernel over it.

    The result, [rows, columns], goes to a buffer, and with `trace` to the kept rows of the context as well.
    """

    def __init__(self, gpu: Gpu, columns: int, rows: int, valid: int, *, trace: bool = True) -> None:
        self._gpu, self._columns, self._rows, self._valid, self._trace = gpu, columns, rows, valid, trace
        self.y = gpu.empty(rows * columns)
        self._activations = gpu.empty(OFFSET + (FIRST_ROW + rows) * columns)
        self.resources: dict[str, Resource] = {"y": self.y}
        if trace:
            self.resources["activations"] = self._activations

    def run(self, kernel: Kernel, resources: dict[str, Resource]) -> None:
        """Run `kernel`, one thread for four columns of a row."""
        groups = (-(-self._columns // 128), self._rows, 1)
        self._gpu.run(kernel.dispatch(groups, {**self.resources, **resources}))

    def read(self) -> np.ndarray:
        """The buffer of the result, [rows, columns]."""
        return self._gpu.read(self.y, self._rows, self._columns)

    def compare(self, expected: np.ndarray, errors: Errors) -> None:
        """Compare the result with `expected` [valid, columns], and check that all other memory is as it was."""
        valid = self._valid
        found = self.read()
        errors.close(found[:valid], expected, "result")
        errors.same(bool((found[valid:] == UNTOUCHED).all()), True, "unused rows")
        self.compare_kept(expected, errors)

    def compare_kept(self, expected: np.ndarray, errors: Errors) -> None:
        """Compare the kept rows with `expected` [valid, columns], and check that other rows are as they were."""
        valid = self._valid
        kept = self._gpu.read(self._activations, FIRST_ROW + self._rows, self._columns, offset=OFFSET)
        rows = slice(FIRST_ROW, FIRST_ROW + valid) if self._trace else slice(0, 0)
        errors.close(kept[rows], expected if self._trace else expected[:0], "kept result")
        errors.same(bool((np.delete(kept, rows, axis=0) == UNTOUCHED).all()), True, "memory of other rows")


def gather(
    gpu: Gpu, by: str, columns: int, rows: int, valid: int, kind: str, dtype: str,
    *, position: int = 4, shards: Sequence[int] = (7, 16), trace: bool = True,
) -> Check:  # fmt: skip
    """Rows of a table by token, or by position from `position` on. A table in buffers is cut at the rows `shards`."""
    storage, table = gpu.weight(normal(_TABLE, columns), kind, dtype, shards=shards if kind == "buffer" else ())
    history = np.array([(5 * i + 3) % _TABLE for i in range(_START + FIRST_ROW + rows)])
    chunk = Chunk(gpu, columns, rows, valid, trace=trace)
    kernel = gpu.kernels.get(
        "forward/gather", columns=columns, by=by, storage=kind, dtype=dtype, tile=storage.tile, trace=trace
    )
    context = range(FIRST_ROW, FIRST_ROW + valid)
    tokens = history[_START + FIRST_ROW : _START + FIRST_ROW + valid]
    indices = tokens if by == "token" else np.array([min(position + row, _TABLE - 1) for row in context])
    errors = Errors()
    for shard in storage.shards:
        resources: dict[str, Resource] = {
            "state": gpu.state(context_start=_START, first_row=FIRST_ROW, rows=valid, position=position),
            "params": gpu.params(shard.first_row, shard.rows, _TABLE - 1, OFFSET),
            "weight": bound(shard),
        }
        if by == "token":
            resources["history"] = gpu.buffer(history)
        chunk.run(kernel, resources)
        later = chunk.read()[:valid][indices >= shard.first_row + shard.rows]
        errors.same(bool((later == UNTOUCHED).all()), True, "rows of later shards")
    chunk.compare(reference.gather(table, indices.tolist()), errors)
    shapes = f"{valid} of {rows} rows, [{_TABLE}, {columns}] {dtype} in a {kind}, by {by}"
    return errors.check("forward/gather", shapes, 0.0)


def add(gpu: Gpu, terms: int, columns: int, rows: int, valid: int, *, trace: bool = True) -> Check:
    """The sum of `terms` inputs, whose magnitudes differ."""
    values = [normal(rows, columns, seed=term) * np.float32(10**term) for term in range(terms)]
    chunk = Chunk(gpu, columns, rows, valid, trace=trace)
    resources: dict[str, Resource] = {f"term{index}": gpu.buffer(term) for index, term in enumerate(values)}
    resources |= {"state": gpu.state(first_row=FIRST_ROW, rows=valid), "params": gpu.params(OFFSET)}
    chunk.run(gpu.kernels.get("forward/add", columns=columns, terms=terms, trace=trace), resources)
    errors = Errors()
    chunk.compare(reference.add(*(term[:valid].astype(np.float64) for term in values)), errors)
    return errors.check("forward/add", f"{terms} terms of [{rows}, {columns}]", KERNEL)


def activation(gpu: Gpu, function: str, columns: int, rows: int, valid: int, *, trace: bool = True) -> Check:
    """`function` of normal values, and of NaNs in the first row; of infinities and the largest numbers for ReLU."""
    exact = function == "relu"
    special = np.concatenate([_NANS, _EXTREMES]) if exact else _NANS  # matmul.gelu_extremes checks GELU's
    x = normal(rows, columns) * np.float32(3)
    x[0, : len(special)] = special[:columns]
    chunk = Chunk(gpu, columns, rows, valid, trace=trace)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid), "params": gpu.params(OFFSET), "x": gpu.buffer(x)
    }  # fmt: skip
    chunk.run(gpu.kernels.get("forward/activation", columns=columns, function=function, trace=trace), resources)
    errors = Errors()
    with np.errstate(invalid="ignore"):
        expected = reference.ACTIVATIONS[function](x[:valid].astype(np.float64))
        chunk.compare(expected, errors)
    return errors.check("forward/activation", f"{function} of [{rows}, {columns}]", 0.0 if exact else KERNEL)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for kind in layouts(is_software(gpu.device.adapter)):
        for dtype in DTYPES:
            yield gather(gpu, "token", 20, 16, 5, kind, dtype)
        for dtype, block in BLOCK_TYPES.items():
            yield gather(gpu, "token", block.values * (9 if block.super_blocks else 11), 16, 5, kind, dtype)
        yield gather(gpu, "token", 132, 1, 1, kind, "bf16", trace=False)
    yield gather(gpu, "position", 36, 16, 16, "buffer", "f32", shards=())
    for terms in (2, 3):
        yield add(gpu, terms, 36, 16, 5)
    yield add(gpu, 2, 132, 1, 1, trace=False)
    for function in reference.ACTIVATIONS:
        yield activation(gpu, function, 36, 16, 5)
        yield activation(gpu, function, 132, 1, 1, trace=False)
