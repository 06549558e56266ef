"""The whole distribution of one step: every token's logit, and what the model and the draw made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compute.options import GenerateOptions


@dataclass(frozen=True)
class Distribution:
    """Logits float32 [vocabulary] of step `step`, the options it was drawn with, and the tokens of its window."""

    step: int
    logits: np.ndarray
    options: GenerateOptions
    window: tuple[int, ...] = ()  # token ids, for the repetition penalty

    @cached_property
    def order(self) -> np.ndarray:
        """Tokens from the likeliest on, int64 [vocabulary]; those without a finite logit last, ties by number."""
        ranked = np.where(np.isfinite(self.logits), self.logits, -np.inf).astype(np.float64)
        return np.argsort(-ranked, kind="stable")
