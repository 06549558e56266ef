"""The record of a generated token."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compute.sampling.sampler import SampleResult


class StepCaptureLike(Protocol):
    """The data recorded for a pass besides its draw; a `StepCapture`, for example."""

    @property
    def data(self) -> bytes | memoryview:
        """The captured bytes."""

    @property
    def logits(self) -> np.ndarray | None:
        """float32 [vocabulary]."""

    @property
    def statistics(self) -> np.ndarray | None:
        """STATISTICS [activations and logits]."""

    @property
    def weight_statistics(self) -> np.ndarray | None:
        """STATISTICS [weights]."""


@dataclass(frozen=True)
class Candidate:
    """A candidate for the next token. The logit is the model's; probabilities are from 0 to 1."""

    token: int
    text: str
    logit: float
    scaled_delta: float
    probability: float
    model_probability: float


@dataclass(frozen=True)
class StepRecord:
    """A generated token and how it was drawn; `rank` counts from 1.

    `nonfinite_logits` counts the NaN and infinities among the logits of the pass, which the GPU recognizes by their
    bits; the vocabulary's padding is excluded. `forward_ms` is the time from submission to result; for tokens that were
    submitted together, it is their mean.
    """

    index: int
    context_start: int
    context_length: int
    token: int
    text: str
    logit: float
    probability: float
    model_probability: float
    rank: int
    forward_ms: float
    top: tuple[Candidate, ...]
    entropy: float = math.nan  # of the model's own distribution, in nats
    nonfinite_logits: int = 0


def step_record(
    draw: SampleResult,
    context_start: int,
    context_length: int,
    temperature: float,
    text: Callable[[int], str],
    forward_ms: float,
) -> StepRecord:
    """The record of a draw, with the probabilities that the draw used. text: gives the text of a token."""
    return StepRecord(
        index=draw.step,
        context_start=context_start,
        context_length=context_length,
        token=draw.token,
        text=text(draw.token),
        logit=draw.logit,
        probability=draw.probability(draw.token, draw.logit, temperature),
        model_probability=draw.model_probability(draw.logit),
        rank=draw.rank,
        forward_ms=forward_ms,
        top=tuple(
            Candidate(
                token=token,
                text=text(token),
                logit=logit,
                scaled_delta=draw.scaled_delta(logit, temperature),
                probability=draw.probability(token, logit, temperature),
                model_probability=draw.model_probability(logit),
            )
            for token, logit in draw.candidates
        ),
        entropy=draw.entropy,
        nonfinite_logits=draw.nonfinite,
    )
