"""What a lens reads from the residual stream, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DEFAULT_TOP, MAX_TOP = 5, 100  # tokens of a cell
HEADER = 12  # words of a result before its tokens, see wgsl/lens/top.wgsl
_NO_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True)
class LensCells:
    """The lens at `points` (P of them) of the rows `positions` (T of them); K tokens are reported for each cell.

    Logits that are NaN or infinite have no probability. Where a cell has no finite logit, its numbers are NaN.
    """

    points: tuple[str, ...]
    positions: range
    target: int | None
    top_tokens: np.ndarray
    """int32 [P, T, K]: the likeliest tokens in order, of equal ones the lowest id first; -1 where there are no more."""
    top_logits: np.ndarray
    """float32 [P, T, K]; NaN where there are no more."""
    log_total: np.ndarray
    """float32 [P, T]: log of the sum of exp(logit)."""
    entropy: np.ndarray
    """float32 [P, T]: of the probabilities, in nats."""
    nonfinite: np.ndarray
    """int32 [P, T]: logits that are NaN or infinite."""
    target_logit: np.ndarray | None
    """float32 [P, T]; None without a target."""
    target_rank: np.ndarray | None
    """int32 [P, T], from 0; -1 where the target's logit is not finite; None without a target."""
    norm: np.ndarray
    """float32 [P, T]: Euclidean length of the residual stream."""
    added: np.ndarray
    """float32 [P, T]: length of its difference from the point before; at the first point its own."""
    cosine: np.ndarray
    """float32 [P, T]: of the angle between it and the last point."""

    @property
    def top_probabilities(self) -> np.ndarray:
        """float32 [P, T, K]: softmax of the logits."""
        probabilities: np.ndarray = np.exp(self.top_logits - self.log_total[:, :, None])
        return probabilities

    @property
    def decided(self) -> np.ndarray:
        """int32 [T]: index of the point from which on the last point's likeliest token is the likeliest."""
        same = self.top_tokens[:, :, 0] == self.top_tokens[-1, :, 0]
        decided: np.ndarray = len(same) - np.logical_and.accumulate(same[::-1]).sum(axis=0)
        return decided.astype(np.int32)

    @property
    def target_probability(self) -> np.ndarray | None:
        """float32 [P, T]: softmax of the logits; None without a target."""
        return None if self.target_logit is None else np.exp(self.target_logit - self.log_total)


def result_words(top: int) -> int:
    """Words of the result of a cell with `top` tokens."""
    return HEADER + 2 * top


def parse_cells(data: bytes, points: Sequence[str], positions: range, target: int | None, top: int) -> LensCells:
    """Decode the results of wgsl/lens/top.wgsl: [positions, points, words]."""
    words = np.frombuffer(data, np.uint32).reshape(len(positions), len(points), result_words(top)).swapaxes(0, 1)
    floats = words.view(np.float32)
    pairs = words[:, :, HEADER:].reshape(*words.shape[:2], top, 2)
    tokens = pairs[..., 0]
    missing = tokens == _NO_TOKEN
    empty = words[:, :, 3] == 0
    target_logit = None if target is None else floats[:, :, 4].copy()
    rank = None
    if target_logit is not None:
        rank = np.where(np.isfinite(target_logit), words[:, :, 5].astype(np.int32), np.int32(-1))
    return LensCells(
        points=tuple(points),
        positions=positions,
        target=target,
        top_tokens=np.where(missing, np.int32(-1), tokens.astype(np.int32)),
        top_logits=np.where(missing, np.float32(np.nan), np.ascontiguousarray(pairs[..., 1]).view(np.float32)),
        log_total=np.where(empty, np.float32(np.nan), floats[:, :, 0]),
        entropy=np.where(empty, np.float32(np.nan), floats[:, :, 1]),
        nonfinite=words[:, :, 2].astype(np.int32),
        target_logit=target_logit,
        target_rank=rank,
        norm=floats[:, :, 6].copy(),
        added=floats[:, :, 7].copy(),
        cosine=floats[:, :, 8].copy(),
    )
