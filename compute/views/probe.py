"""Single values and extremes of ranges of any tensor for the inspector, read from the GPU without waiting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.registry import Tensor
from compute.models.tensor_index import TensorIndex, flat_index, is_inside, multi_index

from .block_value import BlockValue, block_value
from .patterns import PatternWork, pattern_params, row_of_keys

MOST = 64  # maximum number of watched probes
_WORDS = 6 * MOST  # of results: value and index of each probe, then how quantized values are stored


@dataclass(frozen=True)
class ProbeValue:
    """The most extreme of a probe's values and its index.

    Values rank by magnitude, infinity above finite values and NaN above infinity. `step` identifies the pass by the
    position of its last context token. block: how the value is stored, if that is quantized.
    """

    probe: TensorIndex
    value: float
    index: tuple[int, ...]
    step: int
    block: BlockValue | None = None


class ProbePass:
    """Keeps the `values` of the watched probes up to date with the latest pass."""

    def __init__(self, engine: PassTensors) -> None:
        self._engine = engine
        self.values: dict[TensorIndex, ProbeValue] = {}
        self._watched: tuple[TensorIndex, ...] = ()
        self._edit_changes = 0  # for which the work was made
        self._work: list[tuple[int, list[Dispatch]]] = []  # by slot: rows that the pass must have, and the work
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
        self._results = engine.device.create_buffer(label="probes", size=_WORDS * 4, usage=usage)
        self._readback: AsyncReadback[list[ProbeValue]] = AsyncReadback(engine.device, "probes")
        self._again = False  # an update was requested while values were in flight

    def watch(self, probes: Sequence[TensorIndex]) -> None:
        """Watch exactly these. Raises `UsageError` for an unknown name, an index out of range or too many probes."""
        wanted = tuple(dict.fromkeys(probes))
        if wanted == self._watched and self._edit_changes == self._engine.edit_changes:
            return
        if len(wanted) > MOST:
            raise UsageError(f"{len(wanted)} probes: at most {MOST} can be watched; remove some")
        self._work = [self._fetch(probe, slot) for slot, probe in enumerate(wanted)]
        self._watched, self._edit_changes = wanted, self._engine.edit_changes
        self.values = {probe: value for probe, value in self.values.items() if probe in wanted}

    def update(self) -> None:
        """Request all watched values of the latest pass. Never blocks."""
        self.watch(self._watched)
        if self._readback.in_flight:
            self._again = True
            return
        rows = self._engine.registry.rows
        # Rows that the context has not reached yet contain no values.
        live = [(slot, work) for slot, (needed, work) in enumerate(self._work) if needed <= rows]
        if not live:
            return
        slots = [(self._watched[slot], slot) for slot, _ in live]
        decode = partial(self._values, slots, self._engine.registry.first_position + rows - 1)
        self._readback.request(self._results, _WORDS * 4, decode, [dispatch for _, work in live for dispatch in work])

    @property
    def pending(self) -> bool:
        """True while values are in flight."""
        return self._readback.in_flight

    def poll(self) -> bool:
        """Take values that have arrived; True when `values` changed. Never blocks."""
        arrived = self._readback.take()
        if arrived is None:
            return False
        self.values.update((value.probe, value) for value in arrived if value.probe in self._watched)
        if self._again:
            self._again = False
            self.update()
        return True

    def _values(self, slots: Sequence[tuple[TensorIndex, int]], step: int, data: bytes) -> list[ProbeValue]:
        """The values of probes at these slots in `data`, the contents of `_results`."""
        words = np.frombuffer(data, np.uint32)
        results = words[: 2 * MOST].reshape(-1, 2)  # [slots, (bits, index)]
        stored = words[2 * MOST :].reshape(-1, 4)  # [slots, (code, scale, minimum, unused)]
        values = []
        for probe, slot in slots:
            value = float(results[slot, :1].view(np.float32)[0])
            tensor = self._engine.registry[probe.name]
            sizes = self._sizes(tensor)
            index = probe.index if probe.count == 1 else multi_index(int(results[slot, 1]), sizes)
            block = block_value(tensor.storage.dtype, stored[slot].tolist())
            values.append(ProbeValue(probe, value, index, step, block))
        return values

    def _fetch(self, probe: TensorIndex, slot: int) -> tuple[int, list[Dispatch]]:
        tensor = self._engine.registry[probe.name]
        sizes = self._sizes(tensor)
        begin = flat_index(probe.index, sizes) if is_inside(probe.index, sizes) else -1
        end = begin + probe.count
        if not (0 <= begin < end <= math.prod(sizes)) or (tensor.heads and probe.count > 1):
            raise UsageError(f"{probe}: there are no such values; {probe.name} is {' x '.join(map(str, sizes))}")
        if tensor.heads:
            return self._fetch_pattern(tensor, probe, slot)
        device, kernels, storage = self._engine.device, self._engine.kernels, tensor.storage
        work: list[Dispatch] = []
        for shard in storage.shards:
            values: Resource = shard.resource
            first, last = begin, end
            if tensor.kind == "weight":
                kernel = kernels.get(
                    "probe/range", storage=storage.kind, dtype=storage.dtype, columns=tensor.columns, tile=storage.tile
                )
                if isinstance(shard.resource, wgpu.GPUBuffer):
                    values = (shard.resource, shard.offset, shard.size)
                offset = shard.first_row * tensor.columns
                rows = tensor.rows_in(shard)
                first, last = max(first, offset), min(last, offset + rows * tensor.columns)
            else:
                kernel = kernels.get("probe/range", storage="values")
                offset = shard.offset // 4
            if first < last:
                words = np.asarray([first, last, offset, slot, not work, 0, 0, 0], np.uint32)
                resources: dict[str, Resource] = {
                    "params": device.create_buffer_with_data(data=words, usage=wgpu.BufferUsage.UNIFORM),
                    "weight" if tensor.kind == "weight" else "values": values,
                    "results": self._results,
                }
                work.append(kernel.dispatch((1, 1, 1), resources))
        return -(-end // tensor.columns) if tensor.rows is None else 0, work

    def _sizes(self, tensor: Tensor) -> tuple[int, ...]:
        """The shape of the tensor in the longest context."""
        if tensor.vector:
            return (tensor.columns,)
        if tensor.heads:
            return tensor.heads, self._engine.context, tensor.columns
        return self._engine.context if tensor.rows is None else tensor.rows, tensor.columns

    def _fetch_pattern(self, tensor: Tensor, probe: TensorIndex, slot: int) -> tuple[int, list[Dispatch]]:
        """Recompute the row of all heads, then take the value from it."""
        head, query, column = probe.index
        device, stride = self._engine.device, row_of_keys(self._engine.context)
        keys = device.create_buffer(size=4 * tensor.heads * stride, usage=wgpu.BufferUsage.STORAGE)
        words = np.asarray([0, 1, head * stride + column, slot, 1, 0, 0, 0], np.uint32)
        resources: dict[str, Resource] = {
            "params": device.create_buffer_with_data(data=words, usage=wgpu.BufferUsage.UNIFORM),
            "values": keys,
            "results": self._results,
        }
        take = self._engine.kernels.get("probe/range", storage="values").dispatch((1, 1, 1), resources)
        row = PatternWork(self._engine, tensor, keys, 1).rows(pattern_params(query, stride, base=query), 1)
        return query + 1, [*row, take]
