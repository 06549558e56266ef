"""Work in steps: what takes long is a generator that tells how far it is, so that a window can go on drawing."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

import wgpu

from .wgpu_native import poll, work_done

Result = TypeVar("Result")
# Yields what is being done and how much of that is done, 0 to 1; returns what it made.
Loading: TypeAlias = Generator[tuple[str, float], None, Result]


def finished(loading: Loading[Result]) -> Result:
    """Do all of it at once. Blocks."""
    while True:
        try:
            next(loading)
        except StopIteration as end:
            result: Result = end.value
            return result


def paced(device: wgpu.GPUDevice, loading: Loading[Result]) -> Loading[Result]:
    """The same, but no step begins before the GPU has done the one before: steps that say the last again pass by."""
    while True:
        try:
            told = next(loading)
        except StopIteration as end:
            result: Result = end.value
            return result
        fence = work_done(device)
        yield told
        while not (fence.done or fence.failed):
            poll(device)
            yield told
