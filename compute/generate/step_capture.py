"""Captures the logits and the statistics of every pass of a generation, together with its token."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder
from compute.models.registry import Tensor
from compute.sampling.sampler import SampleResult
from compute.views.statistics import StatisticsPass
from compute.views.statistics_table import StatisticsTable

from .steps import StepRecord


class PassLens(Protocol):
    """Measures the lens of each pass; a `compute.lens.lens_capture.LensCapture`."""

    size: int
    """The most bytes that a pass needs."""

    def encode(self, encoder: ComputeEncoder, step: int, target: wgpu.GPUBuffer, offset: int) -> int:
        """Append the work for the pass that draws the token of `step`; return the bytes that it writes to `target`."""


@dataclass(frozen=True)
class StepCapture:
    """The data captured from one pass, as raw bytes. The properties decode them on demand."""

    capturer: StepCapturer
    rows: int
    data: memoryview
    with_weights: bool  # the statistics of the weights were complete
    lens_bytes: int = 0

    @property
    def logits(self) -> np.ndarray | None:
        """float32 [vocabulary]; None if logits are not captured."""
        if not self.capturer.logits_bytes:
            return None
        return np.frombuffer(self.data, np.float32, self.capturer.engine.config.vocabulary)

    @property
    def statistics(self) -> np.ndarray | None:
        """STATISTICS [activations and logits]; None if statistics are not captured."""
        return self._read(self.capturer.live)

    @property
    def weight_statistics(self) -> np.ndarray | None:
        """STATISTICS [weights]; None if statistics are not captured or were not yet complete for the weights."""
        return self._read(self.capturer.weights) if self.with_weights else None

    @property
    def lens(self) -> memoryview | None:
        """Results of the lens as in wgsl/lens/top.wgsl, [rows, points]; None if the lens is not captured."""
        return self.data[self.capturer.lens_at : self.capturer.lens_at + self.lens_bytes] if self.lens_bytes else None

    def _read(self, table: StatisticsTable | None) -> np.ndarray | None:
        return table.read(self.rows, self.data[self.capturer.logits_bytes : self.capturer.lens_at]) if table else None


class StepCapturer:
    """Captures every step and calls `on_step(record, draw, capture)` when the token of the step is collected."""

    def __init__(
        self,
        engine: Engine,
        on_step: Callable[[StepRecord, SampleResult, StepCapture], None],
        *,
        logits: bool,
        statistics: StatisticsPass | None,
        lens: PassLens | None = None,
    ) -> None:
        """logits: whether to capture them; statistics: measures the engine's tensors; None to capture no statistics;
        lens: measures the lens of every pass.

        The statistics pass may be shared: it measures the weights, which takes longest, only once.
        """
        self.engine = engine
        self._on_step = on_step
        self.measure = statistics
        self._with_weights: deque[bool] = deque()  # for each pass in flight
        kept = [tensor for tensor in engine.registry if tensor.kept]
        self.live = self._table([tensor for tensor in kept if tensor.kind != "weight"])
        self.weights = self._table([tensor for tensor in kept if tensor.kind == "weight"])
        self._logits = engine.logits_buffer
        self.logits_bytes = 4 * engine.config.padded_vocabulary if logits else 0
        self.lens_at = self.logits_bytes + (self.measure.size if self.measure else 0)
        self._lens = lens
        self._lens_bytes: deque[int] = deque()  # for each pass in flight
        self.size = self.lens_at + (lens.size if lens else 0)  # bytes per pass

    def _table(self, tensors: list[Tensor]) -> StatisticsTable | None:
        return StatisticsTable(tensors, self.measure.slots) if self.measure is not None else None

    def encode(self, encoder: ComputeEncoder, step: int, target: wgpu.GPUBuffer, offset: int) -> None:
        """Append work that measures the latest pass, that of `step`, and copies it to `target`. Submit immediately."""
        if self.logits_bytes:
            encoder.copy(self._logits, 0, target, offset, self.logits_bytes)
        if self.measure is not None:
            encoder.run(self.measure.work())
            self._with_weights.append(self.measure.weights_measured)
            encoder.copy(self.measure.records, 0, target, offset + self.logits_bytes, self.measure.size)
        if self._lens is not None:
            self._lens_bytes.append(self._lens.encode(encoder, step, target, offset + self.lens_at))

    def take(self, record: StepRecord, draw: SampleResult, data: memoryview) -> None:
        """Report the step of a pass whose token and captured `data` have arrived."""
        with_weights = self._with_weights.popleft() if self.measure is not None else False
        lens_bytes = self._lens_bytes.popleft() if self._lens is not None else 0
        data = data[: self.lens_at + lens_bytes]
        self._on_step(record, draw, StepCapture(self, record.context_length, data, with_weights, lens_bytes))
