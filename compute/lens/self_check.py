"""A check that the program makes of its own result."""

from __future__ import annotations

import math
from dataclasses import dataclass

LOGITS = 2e-3
"""The largest error of a logit in float32."""
LOGITS_CHECK = "last point equals the logits"
"""The name of the check of a lens."""


@dataclass(frozen=True)
class SelfCheck:
    """The largest error that a check found, in logits, and the largest that it allows."""

    name: str
    error: float
    tolerance: float = LOGITS

    @property
    def ok(self) -> bool:
        """True when the error is finite and within the tolerance."""
        return math.isfinite(self.error) and self.error <= self.tolerance
