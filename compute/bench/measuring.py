"""Shared by all benchmarks: time limits, repetition of measurements, and their results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Time limits in seconds: for a measurement with all repeats, for one prompt pass, and for the warm-up."""

    seconds: float = 5.0
    longest: float = 60.0
    warm_up: float = 0.7


@dataclass(frozen=True)
class Figure:
    """The median of `repeats` measurements of `tokens` tokens each. Decode: contexts from `first` to `last` tokens.

    `prompt_pass` is False if there was no time to compute the prompt. The cache then contained other rows; the time per
    token does not depend on their values.
    """

    value: float | None
    repeats: int = 0
    tokens: int = 0
    first: int = 0
    last: int = 0
    prompt_pass: bool = True

    @property
    def counts(self) -> dict[str, int | bool]:
        """The counts behind the value, as plain JSON values."""
        numbers = ("repeats", "tokens", "first", "last", "prompt_pass") if self.last else ("repeats", "tokens")
        return {name: getattr(self, name) for name in numbers}


def repeated(measure: Callable[[], float], repeats: int, seconds: float, least: int = 1) -> list[float]:
    """Results of `repeats` calls of `measure`, fewer if `seconds` have passed, after one more call as a warm-up.

    The warm-up creates pipelines and raises clocks; its result is used only when there is no other. least: minimum
    number of calls, even after `seconds`, including the warm-up.
    """
    results: list[float] = []
    began = time.perf_counter()
    while len(results) <= repeats and (len(results) < least or time.perf_counter() - began < seconds):
        results.append(measure())
    return results[1:] or results
