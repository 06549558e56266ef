"""The GPU side of formulas: dispatches that collect numbers of the latest pass in one buffer of results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.attention_kernels import attention_values
from compute.forward.engine import Engine
from compute.forward.program import resource
from compute.gpu.kernels import Kernel, Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, Weight
from compute.models.registry import Tensor
from compute.models.tensor_index import flat_index

from .patterns import pattern_params, pattern_row, row_of_keys

_THREADS = 64


class FormulaWork:
    """Dispatches, and the slices of `results` that they write, in the order in which they were asked for."""

    def __init__(self, engine: Engine, results: wgpu.GPUBuffer) -> None:
        """results: float32; large enough for everything that is asked for, see `capacity`."""
        self._engine, self._results = engine, results
        self.dispatches: list[Dispatch] = []
        self.size = 0  # results in use

    def columns(self, name: str) -> int:
        """Columns of a tensor: values from one row to the next."""
        return self._engine.registry[name].columns

    def values(self, name: str, index: Sequence[int], count: int = 1, stride: int = 1) -> slice:
        """`count` values of an activation, the logits or a weight, the first at `index`, each `stride` after the last.

        Values of a weight lie within one row.
        """
        tensor, storage = self._engine.registry[name], self._engine.registry[name].storage
        if tensor.kind == "weight":
            row = 0 if tensor.vector else index[0]
            shard = next(s for s in storage.shards if s.first_row <= row < s.first_row + tensor.rows_in(s))
            first = (row - shard.first_row) * tensor.columns + index[-1]
        else:
            shard = storage.shards[0]
            first = flat_index(index, self._engine.registry.shape(tensor))
        to = self._take(count)
        bound: dict[str, Resource] = {
            "params": self._params(first, stride, count, to.start),
            "weight" if tensor.kind == "weight" else "values": resource(shard),
            "results": self._results,
        }
        self._run(operand_kernel(self._engine, tensor), bound, count)
        return to

    def token_row(self, table: Weight, row: int, column: int) -> slice:
        """The value at `column` of the table's row for the token of context row `row`, and that token's id."""
        engine, tensor, to = self._engine, self._engine.registry[table.name], self._take(2)
        storage = tensor.storage
        kernel = engine.kernels.get(
            "formula/token_row", storage=storage.kind, dtype=storage.dtype, columns=tensor.columns, tile=storage.tile
        )
        for shard in storage.shards:
            bound: dict[str, Resource] = {
                "params": self._params(row, column, shard.first_row, shard.rows, to.start),
                "weight": resource(shard),
                "results": self._results,
                "state": engine.state_buffer,
                "history": engine.history_buffer,
            }
            self._run(kernel, bound)
        return to

    def products(self, left: slice, right: slice, scale: float = 1.0) -> slice:
        """The products of two slices of the same length, each times `scale`."""
        count = left.stop - left.start
        to = self._take(count)
        params = self._params(left.start, right.start, count, to.start, scale=scale)
        bound: dict[str, Resource] = {"params": params, "results": self._results}
        self._run(self._engine.kernels.get("formula/products"), bound, count)
        return to

    def norm(self, row: slice, column: int, epsilon: float, *, centered: bool = True) -> slice:
        """Mean and deviation of a row among the results, and the row's normalized value at `column`.

        centered: subtract the mean; otherwise the mean is 0 and the deviation the root mean square.
        """
        to = self._take(3)
        params = self._params(row.start, row.stop - row.start, column, to.start, scale=epsilon)
        kernel = self._engine.kernels.get("formula/norm", centered=centered)
        self._run(kernel, {"params": params, "results": self._results})
        return to

    def activation(self, at: slice, function: str) -> slice:
        """The share of the value at `at` that `function` lets through, and the function's value."""
        to = self._take(2)
        bound: dict[str, Resource] = {"params": self._params(at.start, to.start), "results": self._results}
        self._run(self._engine.kernels.get("formula/activation", function=function), bound)
        return to

    def softmax(self, attention: Attention, head: int, query: int) -> tuple[slice, slice, slice, slice]:
        """Scores, exponentials and weights of the keys that a query sees, and the largest score and the sum."""
        first, registry = attention.first_key(query), self._engine.registry
        keys = query + 1 - first
        to = self._take(3 * keys + 2)
        query_row, key_row = (registry[heads.source].columns for heads in (attention.query, attention.key))
        query_at = query * query_row + attention.query.column(head)
        key_at = first * key_row + attention.key.column(head // attention.group)
        values = attention_values(attention)
        kernel = self._engine.kernels.get("formula/softmax", scale=values["scale"], cap=values["cap"])
        bound: dict[str, Resource] = {
            "params": self._params(query_at, key_at, key_row, keys, attention.head_size, to.start),
            "queries": resource(registry[attention.query.source].storage.shards[0]),
            "all_keys": resource(registry[attention.key.source].storage.shards[0]),
            "results": self._results,
        }
        self._run(kernel, bound)
        scores, exponentials, weights = (slice(to.start + i * keys, to.start + (i + 1) * keys) for i in range(3))
        return scores, exponentials, weights, slice(to.stop - 2, to.stop)

    def pattern(self, attention: Attention, head: int, query: int, key: int) -> slice:
        """One value of a pattern, recomputed by the kernel that all views use."""
        engine, stride = self._engine, row_of_keys(self._engine.context)
        usage = wgpu.BufferUsage
        rows = engine.device.create_buffer(size=4 * attention.heads * stride, usage=usage.STORAGE)
        words = pattern_params(query, stride, base=query)
        params = engine.device.create_buffer_with_data(data=words, usage=usage.UNIFORM)
        self.dispatches.append(pattern_row(engine, engine.registry[attention.pattern], params, rows, kept=1))
        to = self._take(1)
        bound: dict[str, Resource] = {
            "params": self._params(head * stride + key, 1, 1, to.start),
            "values": rows,
            "results": self._results,
        }
        self._run(engine.kernels.get("formula/operand", storage="values"), bound)
        return to

    def _take(self, count: int) -> slice:
        self.size += count
        if 4 * self.size > self._results.size:
            raise ValueError(f"a formula of {self.size} numbers in a buffer of {self._results.size} bytes")
        return slice(self.size - count, self.size)

    def _params(self, *words: int, scale: float | None = None) -> wgpu.GPUBuffer:
        """A uniform buffer with u32 `words`, then the float32 `scale` if there is one."""
        data = np.array(words, np.uint32).tobytes() + (b"" if scale is None else np.float32(scale).tobytes())
        return self._engine.device.create_buffer_with_data(
            data=data + bytes(-len(data) % 16), usage=wgpu.BufferUsage.UNIFORM
        )

    def _run(self, kernel: Kernel, bound: dict[str, Resource], threads: int = 1) -> None:
        self.dispatches.append(kernel.dispatch((-(-threads // _THREADS), 1, 1), bound))


def operand_kernel(engine: Engine, tensor: Tensor) -> Kernel:
    """The kernel that reads values of `tensor`."""
    storage = tensor.storage
    if tensor.kind != "weight":
        return engine.kernels.get("formula/operand", storage="values")
    return engine.kernels.get(
        "formula/operand", storage=storage.kind, dtype=storage.dtype, columns=tensor.columns, tile=storage.tile
    )


def capacity(engine: Engine) -> int:
    """The most results of any formula: three rows of the widest activation, attention over the context, and a few."""
    if engine.activations is None:
        raise UsageError("this model keeps no activations, so there are no formulas; load it with them")
    description = engine.description
    widest = max(weight.shape[-1] for weight in description.weights.values())
    head = max((attention.head_size for attention in description.attention), default=0)
    return 3 * (widest + engine.context + head) + 3 * engine.context + 64
