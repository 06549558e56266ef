"""GPU work in slices: the same code blocks until it has its results, or runs between the frames of a window."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import wgpu

from .wgpu_native import ComputeEncoder, Dispatch, Fence, Readback, poll, work_done

Result = TypeVar("Result")
Sliced: TypeAlias = Generator[Readback | None, None, Result]
"""Yields a readback that it needs before it can go on, or None after it has submitted work; returns the result."""


@dataclass(eq=False)
class Pace:
    """How much GPU time a slice may take. rate: predicted seconds per unit of a dispatch's cost."""

    seconds: float = math.inf
    rate: float = 0.0

    def cut(self, dispatches: Sequence[Dispatch]) -> Iterator[Sequence[Dispatch]]:
        """The dispatches in slices of at least one."""
        first, spent = 0, 0.0
        for index, dispatch in enumerate(dispatches):
            spent += self.rate * dispatch.cost
            if spent >= self.seconds:
                yield dispatches[first : index + 1]
                first, spent = index + 1, 0.0
        if first < len(dispatches):
            yield dispatches[first:]


WHOLE = Pace()
"""Everything in one slice."""


def submitted(device: wgpu.GPUDevice, dispatches: Sequence[Dispatch], pace: Pace) -> Sliced[None]:
    """Submit the dispatches, slice by slice."""
    for part in pace.cut(dispatches):
        encoder = ComputeEncoder(device)
        encoder.run(part)
        encoder.submit()
        yield None


def read(readback: Readback) -> Sliced[bytes]:
    """Request a readback and return its bytes."""
    readback.request()
    yield readback
    return readback.read()


def waited(device: wgpu.GPUDevice, work: Sliced[Result]) -> Result:
    """Run all slices and return the result. Blocks, so never call it inside a frame."""
    while True:
        try:
            needed = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        if needed is not None:
            poll(device, wait=True)


class InBackground(Generic[Result]):
    """Runs sliced work one slice per frame, each once the GPU has finished the one before."""

    def __init__(self, device: wgpu.GPUDevice, work: Sliced[Result]) -> None:
        self._device, self._work = device, work
        self._needed: Readback | Fence | None = None
        self.result: Result | None = None

    def advance(self) -> bool:
        """Submit the next slice if the GPU is free; True once `result` is there. Raises what the work raises."""
        if self._needed is not None:
            poll(self._device)
            if not _over(self._needed):
                return False
        try:
            needed = next(self._work)
        except StopIteration as end:
            self.result = end.value
            return True
        self._needed = needed if needed is not None else work_done(self._device)
        return False

    def cancel(self) -> None:
        """End the work where it is; what it has submitted still runs."""
        self._work.close()


def _over(needed: Readback | Fence) -> bool:
    """True when the GPU has finished. Raises `DeviceError` when a readback has failed, which a fence only notes."""
    return needed.ready if isinstance(needed, Readback) else needed.done or needed.failed
