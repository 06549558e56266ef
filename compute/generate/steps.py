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

    @property
    def lens(self) -> bytes | memoryview | None:
        """Results of the lens as in wgsl/lens/top.wgsl, [rows, points]."""


@dataclass(frozen=True)
class Candidate:
    """A candidate for the next token.

    logit: the model's, before penalty and temperature.
    scaled_delta: (logit - largest logit) / temperature; at temperature 0 without the division.
    probability: in the draw, from 0 to 1, after penalty, temperature and filters.
    model_probability: in softmax(logits), from 0 to 1.
    """

    token: int
    text: str
    logit: float
    scaled_delta: float
    probability: float
    model_probability: float


@dataclass(frozen=True)
class StepRecord:
    """A generated token and how it was drawn.

    index: of the step, from 0.
    context_start: index of the context's first token, counted from the beginning of the prompt.
    context_length: number of tokens in the context.
    logit: the model's, before penalty and temperature.
    probability: in the draw, from 0 to 1, after penalty, temperature and filters.
    model_probability: in softmax(logits), from 0 to 1.
    rank: among all logits, from 1; 0 when no candidates were asked for.
    forward_ms: time from submit to result in milliseconds; for tokens that were submitted together the mean.
    top: the candidates with the largest logits, largest first.
    entropy: of softmax(logits), in nats.
    nonfinite_logits: how many logits are NaN or infinite, recognized by their bits on the GPU, without the padding of
    the vocabulary.
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
    entropy: float = math.nan
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
