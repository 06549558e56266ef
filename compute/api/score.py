"""How well a model predicts a text, token by token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.report import NO_EDITS, EditReport
from compute.forward.whole_pass import WholePass


@dataclass(frozen=True)
class TokenScore:
    """A token and how the model predicted it from those before it; None for the first token of a text.

    logprob: natural logarithm of its probability. rank: counts from 1. entropy: of the prediction, in nats.
    """

    token: int
    text: str
    logprob: float | None
    rank: int | None
    entropy: float | None


@dataclass(frozen=True)
class Score:
    """The scores of a text's tokens.

    perplexity: exp of the mean of -logprob; None for a text of one token. report: what the edits have done.
    """

    tokens: tuple[TokenScore, ...]
    perplexity: float | None
    report: EditReport = NO_EDITS

    @property
    def edits(self) -> list[str]:
        """The edits of the passes, by their canonical text."""
        return list(self.report.edits)

    @property
    def no_effect(self) -> list[str]:
        """Those of `edits` that changed no value."""
        return list(self.report.no_effect)


@dataclass(frozen=True)
class Prediction:
    """Logarithm of the probability, rank from 1, and entropy in nats of the prediction of one token.

    logprob and entropy are NaN, and rank is None, when logits are NaN or +inf, or all are -inf.
    """

    logprob: float
    rank: int | None
    entropy: float


def predictions(
    passes: WholePass, tokens: Sequence[int], *, context: int, positions: int, vocabulary: int
) -> Iterator[Prediction]:
    """How the tokens from the second on are predicted, in order.

    A text longer than the context is run in contexts that overlap by half: each later one predicts only what the one
    before has not, so that a token is predicted from at least half a context.
    """
    step, start, end = max(1, context // 2), 0, 0  # rows before `end` have predicted the token after them
    while end < len(tokens) - 1:
        rows = min(context, len(tokens) - 1 - start)
        row = start
        for logits in passes.logits(tokens[start : start + rows], min(start, positions - rows), text_start=start):
            for values in logits[:, :vocabulary]:
                if row >= end:
                    yield _prediction(values, tokens[row + 1])
                row += 1
        end = start + rows
        start += step


def scored(
    tokens: Sequence[int], found: Sequence[Prediction], texts: Sequence[str], report: EditReport = NO_EDITS
) -> Score:
    """The score of a text from the predictions of all tokens but the first. report: what edits have done."""
    scores = [TokenScore(tokens[0], texts[0], None, None, None)]
    for token, text, one in zip(tokens[1:], texts[1:], found, strict=True):
        scores.append(TokenScore(token, text, one.logprob, one.rank, one.entropy))
    if not found:
        return Score(tuple(scores), None, report)
    mean = -sum(one.logprob for one in found) / len(found)
    return Score(tuple(scores), math.exp(mean) if mean < 700 else math.inf, report)


def _prediction(logits: np.ndarray, token: int) -> Prediction:
    """logits: float32 [vocabulary]."""
    x = logits.astype(np.float64)
    if not np.isfinite(x.max()):
        return Prediction(math.nan, None, math.nan)
    x -= x.max()
    e = np.exp(x)
    total = float(e.sum())
    logprob = float(x[token]) - math.log(total)
    # Among equals the lowest id comes first, as in the draw.
    rank = 1 + int(np.count_nonzero(x > x[token])) + int(np.count_nonzero(x[:token] == x[token]))
    finite = np.where(np.isneginf(x), 0.0, x)  # a probability of 0 adds nothing
    entropy = math.log(total) - float((e * finite).sum()) / total
    return Prediction(logprob, rank, entropy)
