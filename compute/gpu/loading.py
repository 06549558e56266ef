"""Long work in steps: a generator that reports its progress, so that a window can draw between the steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

import wgpu

from .wgpu_native import poll, work_done

Result = TypeVar("Result")
# Yields the name of the current activity and its finished fraction, 0 to 1; returns the result.
Loading: TypeAlias = Generator[tuple[str, float], None, Result]


def finished(loading: Loading[Result]) -> Result:
    """Run all steps and return the result. Blocks."""
    while True:
        try:
            next(loading)
        except StopIteration as end:
            result: Result = end.value
            return result


def paced(device: wgpu.GPUDevice, loading: Loading[Result]) -> Loading[Result]:
    """The same steps, but each begins only after the GPU has finished the previous one. Until then, the latest progress
    report is repeated."""
    while True:
        try:
            progress = next(loading)
        except StopIteration as end:
            result: Result = end.value
            return result
        fence = work_done(device)
        yield progress
        while not (fence.done or fence.failed):
            poll(device)
            yield progress
