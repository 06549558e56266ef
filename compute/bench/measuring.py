"""What every benchmark shares: how long it may take, how often it repeats a measurement, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Limits in seconds: of a measurement with all its repeats, of one repeat's prompt pass, of the warm-up."""

    seconds: float = 5.0
    longest: float = 60.0
    warm_up: float = 0.7


@dataclass(frozen=True)
class Figure:
    """A median; `repeats` of `tokens` each went into it. Decode: contexts from `first` to `last`, in tokens.

    `prompt_pass` is False where the prompt was too long to be computed in the time: the cache then held other rows,
    on whose values the time of a token does not depend.
    """

    value: float | None
    repeats: int = 0
    tokens: int = 0
    first: int = 0
    last: int = 0
    prompt_pass: bool = True

    @property
    def counts(self) -> dict[str, int | bool]:
        """What the value was made from, as plain JSON values."""
        numbers = ("repeats", "tokens", "first", "last", "prompt_pass") if self.last else ("repeats", "tokens")
        return {name: getattr(self, name) for name in numbers}


def repeated(measure: Callable[[], float], repeats: int, seconds: float, least: int = 1) -> list[float]:
    """Results of `repeats` calls of `measure`, fewer if `seconds` have passed, after one more call as a warm-up.

    The warm-up creates pipelines and raises clocks; its result is used only when there is no other. least: number of
    calls that are made even after `seconds`, the warm-up included.
    """
    results: list[float] = []
    began = time.perf_counter()
    while len(results) <= repeats and (len(results) < least or time.perf_counter() - began < seconds):
        results.append(measure())
    return results[1:] or results
