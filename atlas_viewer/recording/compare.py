"""Compares the results of two passes of the same step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compute.generate.steps import Candidate, StepRecord

# Each of the two passes may differ from the exact logits by 2e-3.
TOLERANCE = 4e-3
_COUNTS = ("count", "finite", "nan", "pos_inf", "neg_inf", "first_nonfinite")
_VALUES = ("min", "max", "mean")


@dataclass(frozen=True)
class Difference:
    """The difference between two sides. `largest` is 0 if they are bit-identical; `what` names the largest one."""

    largest: float = 0.0
    what: str = ""
    same: bool = True  # bit for bit

    def within(self, tolerance: float) -> bool:
        """True if no number differs by more than `tolerance`."""
        return self.largest <= tolerance  # false for NaN

    def joined(self, other: Difference) -> Difference:
        """Both differences combined into one, which reports the larger number."""
        worst = self if not other.largest > self.largest else other
        return Difference(worst.largest, worst.what, self.same and other.same)


def logits_difference(recorded: np.ndarray, found: np.ndarray) -> Difference:
    """The difference between all logits, [vocabulary]. Those recorded as float16 are compared as float16."""
    rounded = found.astype(recorded.dtype)
    if recorded.tobytes() == rounded.tobytes():
        return Difference()
    one, other = recorded.astype(np.float64), found.astype(np.float64)
    apart = distances(one, other)
    if recorded.dtype == np.dtype("<f2"):
        # What rounding alone may cause is not a difference between the passes.
        with np.errstate(invalid="ignore"):
            rounding = np.where(np.isfinite(one), np.spacing(np.abs(recorded)).astype(np.float64) / 2, 0.0)
        apart = np.maximum(apart - rounding, 0.0)
    worst = int(np.argmax(apart))
    return Difference(float(apart[worst]), f"logit of token {worst}", same=False)


def steps_difference(recorded: StepRecord, found: StepRecord, logits: np.ndarray | None) -> Difference:
    """The difference between two results of a step and its candidates. logits: all logits of the new pass, if known."""
    known = {candidate.token: candidate.logit for candidate in found.top} | {found.token: found.logit}

    def here(token: int) -> float | None:
        return float(logits[token]) if logits is not None else known.get(token)

    whole = Difference()
    logit = here(recorded.token)
    if logit is not None:
        whole = _figure(recorded.logit, logit, f"logit of token {recorded.token}")
    whole = whole.joined(_candidates_difference(recorded.top, found.top, here))
    if recorded.token == found.token:
        # A probability changes by at most its own size times the change in the logit.
        whole = whole.joined(
            _figure(recorded.model_probability, found.model_probability, "the model's probability of the token")
        )
    same_context = (recorded.context_start, recorded.context_length) == (found.context_start, found.context_length)
    if not same_context:
        whole = whole.joined(Difference(float("inf"), "the context", same=False))
    return whole


def _candidates_difference(
    recorded: Sequence[Candidate], found: Sequence[Candidate], here: Callable[[int], float | None]
) -> Difference:
    if len(recorded) != len(found):
        return Difference(float("inf"), f"{len(recorded)} candidates recorded, {len(found)} here", same=False)
    whole = Difference()
    for rank, (one, other) in enumerate(zip(recorded, found, strict=True), start=1):
        # Two almost equally likely candidates may swap ranks. The token's and the rank's logits are close even then.
        twin = here(one.token)
        if twin is not None:
            whole = whole.joined(_figure(one.logit, twin, f"logit of candidate {rank}, token {one.token}"))
        if one.token != other.token:
            swapped = _figure(one.logit, other.logit, f"candidate {rank} is token {one.token}")
            whole = whole.joined(Difference(swapped.largest, swapped.what, same=False))
    return whole


def statistics_difference(names: Sequence[str], recorded: np.ndarray, found: np.ndarray) -> Difference:
    """The difference between STATISTICS [tensors]: exact for non-finite counts, otherwise relative to the largest."""
    if recorded.tobytes() == found.tobytes():
        return Difference()
    whole = Difference(0.0, "zeros", same=False)
    for name in _COUNTS:
        wrong = np.flatnonzero(recorded[name] != found[name])
        if wrong.size:
            return Difference(float("inf"), f"{name} of {names[wrong[0]]}", same=False)
    scale = np.maximum(np.maximum(np.abs(found["min"]), np.abs(found["max"])).astype(np.float64), 1.0)
    for name in _VALUES:
        apart = distances(recorded[name].astype(np.float64), found[name].astype(np.float64)) / scale
        worst = int(np.argmax(apart))
        whole = whole.joined(Difference(float(apart[worst]), f"{name} of {names[worst]}", same=False))
    return whole


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Absolute differences; 0 for two equal infinities or two NaN, infinite if only one side is finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(one - other)
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(alike, 0.0, np.where(np.isfinite(apart), apart, np.inf))


def _figure(one: float, other: float, what: str) -> Difference:
    apart = float(distances(np.array([one]), np.array([other]))[0])
    return Difference(apart, what, same=False) if apart else Difference()
