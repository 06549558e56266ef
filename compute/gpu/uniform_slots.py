"""Parameters of many dispatches in one buffer, which can be written together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import wgpu

_SLOT = 64  # words: the largest uniform offset alignment


class UniformSlots:
    """`count` slots of up to 64 words."""

    def __init__(self, device: wgpu.GPUDevice, label: str, count: int) -> None:
        usage = wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        self._queue = device.queue
        self._words = np.zeros((count, _SLOT), np.uint32)
        self._buffer = device.create_buffer(label=label, size=max(1, self._words.nbytes), usage=usage)
        self._together = False

    def binding(self, slot: int, words: int) -> tuple[wgpu.GPUBuffer, int, int]:
        """The first words of a slot."""
        return self._buffer, 4 * _SLOT * slot, 4 * words

    def write(self, slot: int, values: Sequence[int] | np.ndarray) -> None:
        """Write u32 values to the beginning of a slot, for dispatches that are submitted from now on."""
        self._words[slot, : len(values)] = values
        if not self._together:
            self._queue.write_buffer(self._buffer, 4 * _SLOT * slot, self._words[slot])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Writes in the block reach the GPU in one, at its end; nothing that reads them may be submitted before."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
            self._queue.write_buffer(self._buffer, 0, self._words)
