"""Single values of any tensor, read from the GPU without waiting: what the inspector shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from .engine import Engine
from .errors import UsageError
from .kernels import Resource
from .native import ComputeEncoder, Dispatch, Readback, poll
from .patterns import pattern_params, pattern_row, row_of_keys
from .registry import Tensor

MOST = 64  # probes watched at a time


@dataclass(frozen=True)
class Probe:
    """One value: row and column of a tensor; the row of a vector is 0, that of a pattern head * context + query."""

    name: str
    row: int
    column: int


@dataclass(frozen=True)
class ProbeValue:
    """What a probe found, and in which pass: `step` is the position of that pass's last context token."""

    probe: Probe
    value: float
    step: int


class ProbePass:
    """Keeps `values` of the watched probes following the latest pass."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.values: dict[Probe, ProbeValue] = {}
        self._watched: tuple[Probe, ...] = ()
        self._work: list[tuple[Tensor, int, list[Dispatch]]] = []  # tensor, row, how to fetch
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
        self._found = engine.device.create_buffer(label="probes", size=4 * MOST, usage=usage)
        self._readback = Readback(engine.device, 4 * MOST, "probes")
        self._asked: tuple[tuple[Probe, int], ...] | None = None  # probe and place, of the readback in flight
        self._asked_step = 0
        self._again = False

    def watch(self, probes: Sequence[Probe]) -> None:
        """Watch these and no others. Raises `UsageError` for unknown names, places out of range, or too many."""
        wanted = tuple(dict.fromkeys(probes))
        if wanted == self._watched:
            return
        if len(wanted) > MOST:
            raise UsageError(f"{len(wanted)} probes: at most {MOST} are watched at a time; remove some")
        self._work = [self._fetch(probe, place) for place, probe in enumerate(wanted)]
        self._watched = wanted
        self.values = {probe: value for probe, value in self.values.items() if probe in wanted}

    def update(self) -> None:
        """Submit the fetching of all watched values of the latest pass. Never blocks."""
        if self._asked is not None:
            self._again = True
            return
        rows = self._engine.registry.rows
        # Rows that the context does not have (yet) hold nothing to show.
        live = [
            (place, work)
            for place, (tensor, row, work) in enumerate(self._work)
            if tensor.rows is not None or row % self._engine.context < rows
        ]
        if not live:
            return
        encoder = ComputeEncoder(self._engine.device)
        encoder.run([dispatch for _, work in live for dispatch in work])
        encoder.copy(self._found, 0, self._readback.buffer, 0, 4 * MOST)
        encoder.submit()
        self._readback.request()
        self._asked = tuple((self._watched[place], place) for place, _ in live)
        self._asked_step = self._engine.registry.first_position + rows - 1

    @property
    def pending(self) -> bool:
        """True while values are on their way."""
        return self._asked is not None

    def poll(self) -> bool:
        """Take in what has arrived, without waiting; True when `values` changed."""
        if self._asked is None:
            return False
        poll(self._engine.device)
        if not self._readback.ready:
            return False
        found = np.frombuffer(self._readback.read(), np.float32)
        for probe, place in self._asked:
            if probe in self._watched:
                self.values[probe] = ProbeValue(probe, float(found[place]), self._asked_step)
        self._asked = None
        if self._again:
            self._again = False
            self.update()
        return True

    def _fetch(self, probe: Probe, place: int) -> tuple[Tensor, int, list[Dispatch]]:
        tensor = self._engine.registry[probe.name]
        rows = self._engine.context * max(1, tensor.heads) if tensor.rows is None else tensor.rows
        if not (0 <= probe.row < rows and 0 <= probe.column < tensor.columns):
            raise UsageError(
                f"{probe.name}: no value at row {probe.row}, column {probe.column}; it has {rows} x {tensor.columns}"
            )
        if tensor.heads:
            return tensor, probe.row, self._fetch_pattern(tensor, probe, place)
        if tensor.family != "weight":
            piece = tensor.storage.pieces[0]
            assert isinstance(piece.resource, wgpu.GPUBuffer)
            index = piece.offset // 4 + probe.row * tensor.columns + probe.column
            return tensor, probe.row, [self._copy(piece.resource, index, place)]
        return tensor, probe.row, [self._fetch_weight(tensor, probe, place)]

    def _copy(self, values: wgpu.GPUBuffer, index: int, place: int) -> Dispatch:
        device = self._engine.device
        usage = wgpu.BufferUsage
        resources: dict[str, Resource] = {
            "params": device.create_buffer_with_data(data=np.asarray([1, 0, 0, 0], np.uint32), usage=usage.UNIFORM),
            "places": device.create_buffer_with_data(data=np.asarray([index, place], np.uint32), usage=usage.STORAGE),
            "values": values,
            "found": self._found,
        }
        return self._engine.kernels.get("probe_activation").dispatch((1, 1, 1), resources)

    def _fetch_pattern(self, tensor: Tensor, probe: Probe, place: int) -> list[Dispatch]:
        """Recompute the row, of all heads, then copy."""
        head, query = divmod(probe.row, self._engine.context)
        stride = row_of_keys(self._engine)
        row = self._engine.device.create_buffer(size=4 * tensor.heads * stride, usage=wgpu.BufferUsage.STORAGE)
        params = self._engine.device.create_buffer_with_data(
            data=pattern_params(query, query), usage=wgpu.BufferUsage.UNIFORM
        )
        made = pattern_row(self._engine, tensor, params, row, kept=1)
        return [made, self._copy(row, head * stride + probe.column, place)]

    def _fetch_weight(self, tensor: Tensor, probe: Probe, place: int) -> Dispatch:
        device, kernels, storage = self._engine.device, self._engine.kernels, tensor.storage
        piece = next(p for p in reversed(storage.pieces) if p.first_row <= probe.row)
        values: Resource = piece.resource
        if isinstance(piece.resource, wgpu.GPUBuffer):
            values = (piece.resource, piece.offset, piece.size)
        words = np.asarray([probe.row - piece.first_row, probe.column, place, 0], np.uint32)
        resources: dict[str, Resource] = {
            "params": device.create_buffer_with_data(data=words, usage=wgpu.BufferUsage.UNIFORM),
            "weight": values,
            "found": self._found,
        }
        kernel = kernels.get(
            "probe_weight", columns=tensor.columns, storage=storage.kind, dtype=storage.dtype, tile=storage.tile
        )
        return kernel.dispatch((1, 1, 1), resources)
