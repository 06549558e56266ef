"""Formulas of single elements of the latest pass, computed on the GPU and read back without waiting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import wgpu

from compute.forward.engine import Engine
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.device import is_software
from compute.gpu.wgpu_native import ComputeEncoder, poll
from compute.models.readings import readings
from compute.models.tensor_index import TensorIndex, is_inside

from .formula import Formula
from .formula_plans import explained, formula_shape, plan
from .formula_work import FormulaWork, capacity


class FormulaPass:
    """Computes one formula after another: `request` it, then call `poll` once per frame. Never blocks."""

    def __init__(self, engine: Engine) -> None:
        """Raises `UsageError` when the engine keeps no activations."""
        self._engine = engine
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
        self._results = engine.device.create_buffer(label="formula", size=4 * capacity(engine), usage=usage)
        self._readback: AsyncReadback[Formula] = AsyncReadback(engine.device, "formula")
        self.latest: Formula | None = None  # the formula that arrived last

    def warming(self) -> Iterator[None]:
        """Run a formula of every kind, one per iteration, so that no kernel is compiled while somebody waits for it."""
        seen: set[object] = set()
        for name in (*readings(self._engine.description), self._engine.description.head.output):
            work = FormulaWork(self._engine, self._results)
            shape = formula_shape(self._engine, name)
            if all(shape) and self.explains(name):
                plan(self._engine, work, TensorIndex(name, (0,) * len(shape)))
                kinds = {id(dispatch.pipeline) for dispatch in work.dispatches}
                if not kinds <= seen:
                    seen |= kinds
                    encoder = ComputeEncoder(self._engine.device)
                    encoder.run(work.dispatches)
                    encoder.submit()
                    yield

    def explains(self, name: str) -> bool:
        """True when elements of the tensor `name` have formulas."""
        return explained(self._engine, name)

    def has(self, element: TensorIndex) -> bool:
        """True when the latest pass contains this element of a tensor with formulas."""
        return is_inside(element.index, formula_shape(self._engine, element.name))

    @property
    def slow(self) -> bool:
        """True when a formula takes longer than a frame: on a software adapter."""
        return is_software(self._engine.device.adapter)

    @property
    def pending(self) -> bool:
        """True while a formula is in flight."""
        return self._readback.in_flight

    def request(self, element: TensorIndex) -> bool:
        """Compute the formula of an element of the latest pass; False, and nothing, while one is in flight.

        Raises `UsageError` for what is no element of an activation or of the logits.
        """
        if self.pending:
            return False
        work = FormulaWork(self._engine, self._results)
        made = plan(self._engine, work, element)

        def decode(data: bytes) -> Formula:
            return made(np.frombuffer(data, np.float32))

        return self._readback.request(self._results, 4 * max(work.size, 1), decode, work.dispatches)

    def poll(self) -> bool:
        """Take a formula that has arrived; True when `latest` changed. Never blocks."""
        arrived = self._readback.take()
        if arrived is not None:
            self.latest = arrived
        return arrived is not None

    def explain(self, element: TensorIndex) -> Formula:
        """The formula of an element. Blocks, so never call it inside a frame. Raises `UsageError` as `request`."""
        while self.pending:
            poll(self._engine.device, wait=True)
            self.poll()
        self.request(element)
        poll(self._engine.device, wait=True)
        self.poll()
        assert self.latest is not None
        return self.latest
