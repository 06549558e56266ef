"""Statistics of every tensor, computed on the GPU: only a small table comes back, never a tensor."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import partial

import numpy as np
import wgpu

from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.device import is_software
from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, poll
from compute.models.registry import Tensor

from .map_weights import packs_of

WORDS = 84  # per record, see wgsl/statistics/common/statistics.wgsl
_BINS, _SAMPLES, _SQUARES = 8, 72, 81
SAMPLE_COUNT = 6
SCALE = 2.0**-32
_TINY = 2.0**-80
_LARGE = 1e15  # magnitudes from which squares of float32 values are summed scaled
_PART_VALUES = 8192  # values of a weight per workgroup
_LIVE_PARTS = 32  # maximum workgroups per live tensor
# Threads per workgroup. For short rows, as many as the adapter runs at once: on a software adapter, more threads take
# turns at every barrier, which costs twice as much as everything else.
_THREADS, _SOFTWARE_THREADS = 64, 8
_CHUNK = 4096  # the long row of logits is read as rows of this many values
# Values of weights read between two frames. They take about 50 ms on a software adapter, far less on a GPU.
_SLICE = {"texture": 8 << 20, "buffer": 256 << 20}

_OCTAVES = [2.0**power for power in range(-19, 12)]
# Bin i counts values from edge i to edge i + 1: octaves of magnitude on both sides of zero, which is in bin 32.
HISTOGRAM_EDGES: tuple[float, ...] = (
    -math.inf, *(-octave for octave in reversed(_OCTAVES)), 0.0, *_OCTAVES, math.inf,
)  # fmt: skip


@dataclass(frozen=True)
class TensorStatistics:
    """Statistics of one tensor. min, max, mean, std and absmax cover its finite values, 0.0 when there are none.

    std: the standard deviation, dividing by the number of values; None in recordings, which do not contain it.
    """

    name: str
    shape: tuple[int, ...]
    count: int
    finite: int
    nan: int
    pos_inf: int
    neg_inf: int
    zero: int
    min: float
    max: float
    mean: float
    std: float | None
    absmax: float
    first_nonfinite: int | None  # flat index
    samples: tuple[float, ...]  # the first 6 values
    histogram: tuple[int, ...]  # of the finite values, 64 bins, see HISTOGRAM_EDGES


_Measured = tuple[tuple[int, int], dict[str, TensorStatistics]]  # epoch and rows, statistics by name


class _Source:
    """The live tensors in one buffer. A tensor with two names is measured once."""

    def __init__(self, owner: StatisticsPass, buffer: wgpu.GPUBuffer, tensors: list[Tensor], parts: Resource) -> None:
        device, kernels = owner.engine.device, owner.engine.kernels
        self.fixed = tensors[0].rows is not None
        self.rows = -(-tensors[0].columns // _CHUNK)
        entries = np.asarray(
            [
                (
                    tensor.storage.shards[0].offset // 4,
                    _CHUNK if self.fixed else tensor.columns,
                    tensor.columns if self.fixed else 0xFFFFFFFF,
                    owner.slots[tensor.name],
                )
                for tensor in tensors
            ],
            np.uint32,
        )
        self.count = len(tensors)
        self._queue = device.queue
        table = device.create_buffer_with_data(data=entries, usage=wgpu.BufferUsage.STORAGE)
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        self._params = device.create_buffer(label="statistics rows", size=16, usage=usage)
        shared: dict[str, Resource] = {"params": self._params, "entries": table, "parts": parts}
        shared["records"] = owner.records
        threads = _SOFTWARE_THREADS if is_software(device.adapter) else _THREADS
        measure = kernels.get("statistics/rows", threads=threads, histograms=owner.histograms)
        join = kernels.get("statistics/join", threads=threads)
        self._measure = measure.dispatch((1, 1, 1), {**shared, "values": buffer})
        self._join = join.dispatch((self.count, 1, 1), shared)

    def work(self, first: int, rows: int) -> list[Dispatch]:
        """Dispatches that add rows `first` to `rows`. From row 0 on, they start over."""
        if self.fixed:
            first, rows = 0, self.rows
        parts = min(rows - first, _LIVE_PARTS)
        self._queue.write_buffer(
            self._params, 0, np.asarray([first, rows, parts, int(first == 0)], np.uint32).tobytes()
        )
        return [self._measure.over((self.count, parts, 1)), self._join]


class StatisticsPass:
    """Keeps `latest` (by name, in run order) up to date with the registry, except for recomputed tensors."""

    def __init__(self, engine: PassTensors, *, histograms: bool = True) -> None:
        """histograms: without them, a pass takes a quarter less time on a software adapter, and they stay empty."""
        self.engine, self.histograms = engine, histograms
        self.latest: dict[str, TensorStatistics] = {}
        device = engine.device
        self._tensors = [tensor for tensor in engine.registry if tensor.kept]
        self.slots: dict[str, int] = {}
        slot_by_location: dict[tuple[int, int], int] = {}
        live: dict[int, tuple[wgpu.GPUBuffer, list[Tensor]]] = {}
        for tensor in self._tensors:
            shard = tensor.storage.shards[0]
            location = (id(shard.resource), shard.offset)
            slot = slot_by_location.setdefault(location, len(slot_by_location))
            new = slot not in self.slots.values()
            self.slots[tensor.name] = slot
            if new and tensor.kind != "weight":
                assert isinstance(shard.resource, wgpu.GPUBuffer)
                live.setdefault(id(shard.resource), (shard.resource, []))[1].append(tensor)
        self.size = 4 * WORDS * len(slot_by_location)  # bytes of `records`
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        self.records = device.create_buffer(label="statistics", size=self.size, usage=usage)
        groups = [group for _, group in live.values()]
        parts = device.create_buffer(
            label="statistics parts", size=4 * WORDS * _LIVE_PARTS * max(map(len, groups), default=1), usage=usage
        )
        self._sources = [_Source(self, buffer, group, parts) for buffer, group in live.values()]
        self._readback: AsyncReadback[_Measured] = AsyncReadback(device, "statistics")
        self._weights = deque(tensor for tensor in self._tensors if tensor.kind == "weight")  # not measured yet
        self._begun = False
        self._seen = (-1, 0)  # epoch, rows
        self._known: tuple[int, int] | None = None
        self._weight_statistics: dict[str, TensorStatistics] = {}

    def work(self) -> list[Dispatch]:
        """Dispatches that update `records` with the latest pass: its new rows and, once, the weights in slices.

        Submit them immediately.
        """
        epoch, rows = self.engine.epoch, self.engine.registry.rows
        work: list[Dispatch] = []
        self._begun = True
        values = 0
        while self._weights and values < _SLICE[self.engine.layout]:
            tensor = self._weights.popleft()
            work += self._weight_work(tensor)
            values += self.engine.registry.count(tensor)
        if rows and (epoch, rows) != self._seen:
            first = self._seen[1] if self._seen[0] == epoch and self._seen[1] < rows else 0
            for source in self._sources:
                work += source.work(first, rows)
            self._seen = (epoch, rows)
        return work

    def update(self) -> None:
        """Submit the work for the latest pass and request the result. Never blocks."""
        work = self.work()
        wanted = self._known != self._seen and not self._weights
        if wanted and self._readback.request(self.records, self.size, partial(self._measured, self._seen), work):
            return
        if work:
            encoder = ComputeEncoder(self.engine.device)
            encoder.run(work)
            encoder.submit()

    @property
    def weights_measured(self) -> bool:
        """True when all work so far, once it has run, includes the weights."""
        return not self._weights

    @property
    def pending(self) -> bool:
        """True while statistics are in flight."""
        return self._readback.in_flight or (bool(self._weights) and self._begun)

    def poll(self) -> bool:
        """Take statistics that have arrived and continue with the weights; True when `latest` changed. Never blocks."""
        if self._weights and self._begun:
            self.update()
        arrived = self._readback.take()
        if arrived is None:
            return False
        self._known, self.latest = arrived
        if self._known != self._seen:
            self.update()
        return True

    def read(self) -> dict[str, TensorStatistics]:
        """Statistics of the latest pass. Blocks, so never call it inside a frame."""
        self.update()
        while self.pending:
            poll(self.engine.device, wait=True)
            self.poll()
        return self.latest

    def first_bad(self) -> str | None:
        """The first tensor, in run order, with a non-finite value."""
        return next((known.name for known in self.latest.values() if known.finite < known.count), None)

    def _measured(self, seen: tuple[int, int], data: bytes) -> _Measured:
        """(seen, statistics by name) from `data`, the contents of `records` at `seen`."""
        records = np.frombuffer(data, np.uint32).reshape(-1, WORDS)  # [slots, words]
        rows = seen[1]
        latest = {}
        for tensor in self._tensors:
            known = self._weight_statistics.get(tensor.name)
            if known is None:
                known = _statistics(tensor, rows, records[self.slots[tensor.name]])
                if tensor.kind == "weight":
                    self._weight_statistics[tensor.name] = known
            latest[tensor.name] = known
        return seen, latest

    def _weight_work(self, tensor: Tensor) -> list[Dispatch]:
        device, kernels, storage = self.engine.device, self.engine.kernels, tensor.storage
        slot = self.slots[tensor.name]
        rows = [tensor.rows_in(shard) for shard in storage.shards]
        counts = [-(-count * tensor.columns // _PART_VALUES) for count in rows]
        parts = device.create_buffer(size=4 * WORDS * sum(counts), usage=wgpu.BufferUsage.STORAGE)
        kernel = kernels.get(
            "statistics/weight",
            storage=storage.kind,
            dtype=storage.dtype,
            threads=_THREADS,
            histograms=self.histograms,
        )
        shape = (tensor.columns // 4, packs_of(storage, tensor.columns), storage.tile, 0)
        work = []
        first = 0
        for shard, count, own in zip(storage.shards, counts, rows, strict=True):
            values: Resource = shard.resource
            if isinstance(shard.resource, wgpu.GPUBuffer):
                values = (shard.resource, shard.offset, shard.size)
            resources: dict[str, Resource] = {
                "params": self._uniform(shard.first_row, own, first, slot, *shape), "weight": values,
                "parts": parts, "records": self.records,
            }  # fmt: skip
            work.append(kernel.dispatch((count, 1, 1), resources))
            first += count
        entry = np.asarray([0, tensor.columns, 0, slot], np.uint32)
        joined: dict[str, Resource] = {
            "params": self._uniform(0, 0, first, 1), "parts": parts, "records": self.records,
            "entries": device.create_buffer_with_data(data=entry, usage=wgpu.BufferUsage.STORAGE),
        }  # fmt: skip
        return [*work, kernels.get("statistics/join", threads=_THREADS).dispatch((1, 1, 1), joined)]

    def _uniform(self, *words: int) -> wgpu.GPUBuffer:
        data = np.asarray(words, np.uint32)
        return self.engine.device.create_buffer_with_data(data=data, usage=wgpu.BufferUsage.UNIFORM)


def _statistics(tensor: Tensor, rows: int, record: np.ndarray) -> TensorStatistics:
    """Statistics from the record uint32 [words] of a tensor."""
    own = rows if tensor.rows is None else tensor.rows
    count = own * tensor.columns
    nan, pos_inf, neg_inf, zero, lowest, highest = (int(word) for word in record[:6])
    finite = count - nan - pos_inf - neg_inf
    smallest, largest = (_key_value(~lowest & 0xFFFFFFFF), _key_value(highest)) if finite else (0.0, 0.0)
    first_bad = int(record[7])
    return TensorStatistics(
        name=tensor.name,
        shape=(tensor.columns,) if tensor.vector else (own, tensor.columns),
        count=count,
        finite=finite,
        nan=nan,
        pos_inf=pos_inf,
        neg_inf=neg_inf,
        zero=zero,
        min=smallest,
        max=largest,
        mean=float(record[6:7].view(np.float32)[0]) / SCALE / finite if finite else 0.0,
        std=_deviation(record, finite, max(abs(smallest), abs(largest))),
        absmax=max(abs(smallest), abs(largest)),
        first_nonfinite=~first_bad & 0xFFFFFFFF if first_bad else None,
        samples=tuple(record[_SAMPLES : _SAMPLES + min(count, SAMPLE_COUNT)].view(np.float32).tolist()),
        histogram=tuple(record[_BINS : _BINS + 64].tolist()),
    )


def _deviation(record: np.ndarray, finite: int, absmax: float) -> float:
    """The standard deviation from the record of a tensor with `finite` finite values up to the magnitude `absmax`."""
    if not finite:
        return 0.0
    squares = record[_SQUARES : _SQUARES + 2].view(np.float32)  # of the values, and of the values times _TINY
    if absmax < _LARGE:
        return math.sqrt(float(squares[0]) / finite)
    return math.sqrt(float(squares[1]) / finite) / _TINY


def _key_value(key: int) -> float:
    """The float with this sort key, see wgsl/common/numbers.wgsl."""
    bits = key ^ 0x80000000 if key >= 0x80000000 else ~key & 0xFFFFFFFF
    return float(np.asarray([bits], np.uint32).view(np.float32)[0])
