"""All logits of the latest pass on the CPU, without waiting: for a distribution that is looked at, not for a draw."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import ComputeEncoder, Readback, poll


class LogitsReadback:
    """One readback of the vocabulary's logits at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._size = 4 * engine.config.vocabulary
        self._readback = Readback(engine.device, self._size, "all logits")
        self._asked = False

    @property
    def pending(self) -> bool:
        """True while logits are on their way."""
        return self._asked

    def ask(self) -> None:
        """Fetch the logits of the pass that was submitted last, unless others are on their way. Never blocks."""
        if self._asked:
            return
        encoder = ComputeEncoder(self._engine.device)
        encoder.copy(self._engine.logits_buffer, 0, self._readback.buffer, 0, self._size)
        encoder.submit()
        self._readback.request()
        self._asked = True

    def poll(self) -> np.ndarray | None:
        """The logits float32 [vocabulary], once, when they have arrived."""
        if not self._asked:
            return None
        poll(self._engine.device)
        if not self._readback.ready:
            return None
        self._asked = False
        return np.frombuffer(self._readback.read(), np.float32)
