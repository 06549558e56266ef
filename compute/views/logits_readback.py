"""All logits of the latest pass on the CPU, without waiting: for showing a distribution, not for a draw."""

from __future__ import annotations

import numpy as np

from compute.forward.pass_tensors import PassTensors
from compute.gpu.async_readback import AsyncReadback


class LogitsReadback:
    """Reads back the logits of the whole vocabulary."""

    def __init__(self, engine: PassTensors) -> None:
        self._engine = engine
        self._readback: AsyncReadback[np.ndarray] = AsyncReadback(engine.device, "all logits")

    def request(self) -> bool:
        """Fetch the logits of the pass that was submitted last; False while others are in flight. Never blocks."""
        size = 4 * self._engine.config.vocabulary
        return self._readback.request(self._engine.logits_buffer, size, lambda data: np.frombuffer(data, np.float32))

    def take(self) -> np.ndarray | None:
        """Return the logits, float32 [vocabulary], once after they have arrived, otherwise None."""
        return self._readback.take()
