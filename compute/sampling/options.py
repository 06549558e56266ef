"""The options of a generation and their checks."""

from __future__ import annotations

import math
import numbers
from dataclasses import asdict, dataclass, replace

from compute.errors import UsageError, option
from compute.io.escape import one_line


@dataclass(frozen=True)
class GenerateOptions:
    """Options of one generation.

    max_new_tokens: number of tokens to generate, at least 1.
    context: length of the context in tokens, from 1 to the model's number of positions.
    temperature: divides the logits; 0 means argmax.
    top_k: number of tokens to keep; off at 0.
    top_p, min_p: probabilities from 0 to 1, off at 1 and at 0.
    repetition_penalty: off at 1.
    seed: key of the counter-based random numbers, an unsigned 32-bit number.
    top: number of candidates that every step reports; 0 also omits the rank.
    """

    max_new_tokens: int = 16
    context: int = 256
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    top: int = 8

    def checked(self, positions: int, vocabulary: int) -> GenerateOptions:
        """The options as numbers of Python. Raises `UsageError` with the option, its value and the valid range."""
        _in_range("max_new_tokens", self.max_new_tokens, 1, 1_000_000)
        _in_range("context", self.context, 1, positions)
        _in_range("top_k", self.top_k, 0, vocabulary)
        _in_range("seed", self.seed, 0, 2**32 - 1)
        _in_range("top", self.top, 0, min(200, vocabulary))
        _real("temperature", self.temperature, 0.0, 100.0)
        _real("top_p", self.top_p, 0.0, 1.0)
        _real("min_p", self.min_p, 0.0, 1.0)
        _real("repetition_penalty", self.repetition_penalty, 0.01, 100.0)
        plain = {name: value.item() for name, value in asdict(self).items() if hasattr(value, "item")}  # of NumPy
        return replace(self, **plain) if plain else self

    def as_json(self) -> dict[str, int | float]:
        """The options as plain JSON values."""
        return asdict(self)


def _shown(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value


def _is_a(kind: type, value: object) -> bool:
    """True for numbers of Python and NumPy of that kind; a truth value is none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not _is_a(numbers.Integral, value):
        raise UsageError(f"{option(name, _shown(value))}: must be an integer")
    if not low <= value <= high:
        raise UsageError(f"{option(name, value)}: must be from {low} to {high}")


def _real(name: str, value: float, low: float, high: float) -> None:
    if not _is_a(numbers.Real, value):
        raise UsageError(f"{option(name, _shown(value))}: must be a number")
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{option(name, value)}: must be a number from {low:g} to {high:g}")
