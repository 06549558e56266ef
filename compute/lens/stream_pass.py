"""The geometry of the residual stream at one position: its length, what is added to it, and where it points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import wgpu

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.wgpu_native import ComputeEncoder

from .lens_cells import result_words
from .stream_rows import gather

_NO_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True)
class StreamShape:
    """The residual stream of context row `row` at `points`, P of them: after the embedding, and after each addition.

    norm: float32 [P], Euclidean length; added: float32 [P], length of the difference from the point before, at the
    first point of the stream itself; cosine: float32 [P], of the angle between the stream and its last point.
    """

    row: int
    points: tuple[str, ...]
    norm: np.ndarray
    added: np.ndarray
    cosine: np.ndarray


class StreamPass:
    """Measures the stream in the engine's latest pass. `request` never blocks; `take` returns what has arrived."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` for an engine without activations."""
        if engine.activations is None:
            raise UsageError("the model was loaded without activations: load it with LoadOptions(trace=True)")
        self._engine = engine
        self.points = tuple(engine.description.stream)
        count, channels = len(self.points), engine.registry[self.points[-1]].columns
        usage = wgpu.BufferUsage
        self._aim = self._buffer("aim", 4, usage.UNIFORM)
        rows = self._buffer("rows", count * channels)
        self._results = self._buffer("results", count * result_words(0))
        norms = engine.kernels.get("lens/norms", channels=channels, points=count)
        bound = {"aim": self._aim, "rows": rows, "results": self._results}
        self._dispatches = [
            *gather(engine, self.points, 1, self._aim, rows),
            norms.dispatch((count, 1, 1), bound),
        ]
        self._readback: AsyncReadback[StreamShape] = AsyncReadback(engine.device, "stream")

    def request(self, row: int) -> bool:
        """Request the stream of a context row. False while a result is in flight. Raises `UsageError`."""
        rows = self._engine.registry.rows
        if not 0 <= row < rows:
            raise UsageError(f"row {row}: the latest pass has {rows} rows")
        size = 4 * len(self.points) * result_words(0)
        return self._readback.request_copy(partial(self._submit, row, size), size, partial(self._parse, row))

    def take(self) -> StreamShape | None:
        """Return the result once after it has arrived, otherwise None."""
        return self._readback.take()

    @property
    def pending(self) -> bool:
        """True while a result is in flight."""
        return self._readback.in_flight

    def _submit(self, row: int, size: int, staging: wgpu.GPUBuffer) -> None:
        device = self._engine.device
        device.queue.write_buffer(self._aim, 0, np.asarray([row, row, _NO_TOKEN, 0], np.uint32))
        encoder = ComputeEncoder(device)
        encoder.run(self._dispatches)
        encoder.copy(self._results, 0, staging, 0, size)
        encoder.submit()

    def _parse(self, row: int, data: bytes) -> StreamShape:
        words = np.frombuffer(data, np.float32).reshape(len(self.points), result_words(0))
        norm, added, cosine = (words[:, at].copy() for at in (6, 7, 8))
        return StreamShape(row, self.points, norm, added, cosine)

    def _buffer(self, label: str, words: int, extra: int = 0) -> wgpu.GPUBuffer:
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST | extra
        return self._engine.device.create_buffer(label=f"stream {label}", size=4 * words, usage=usage)
