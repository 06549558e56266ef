"""What an edit sets, adds or multiplies by. `str` gives the text that the grammar reads.

`of_prompt` is true for values that are taken from the edited run itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./\\:~+%@")


@dataclass(frozen=True)
class Number:
    """One number for every selected value."""

    value: float
    of_prompt: ClassVar[bool] = False

    def __str__(self) -> str:
        return number_text(self.value)


@dataclass(frozen=True)
class ArrayFile:
    """The array in a .npy file, times `scale`."""

    path: str
    scale: float = 1.0
    of_prompt: ClassVar[bool] = False

    def __str__(self) -> str:
        return _times(self.scale, path_text(self.path))


@dataclass(frozen=True)
class Mean:
    """The mean over the prompt's rows of the same run with all edits but this one, times `scale`."""

    scale: float = 1.0
    of_prompt: ClassVar[bool] = True

    def __str__(self) -> str:
        return _times(self.scale, "mean")


@dataclass(frozen=True)
class FileMean:
    """The mean over the tokens of the array of the same tensor in a .npz file, times `scale`."""

    path: str
    scale: float = 1.0
    of_prompt: ClassVar[bool] = False

    def __str__(self) -> str:
        return _times(self.scale, f"mean({path_text(self.path)})")


@dataclass(frozen=True)
class FromRun:
    """The same tensor in the pass of step `step` of the last run of a recording, times `scale`."""

    path: str
    step: int
    scale: float = 1.0
    of_prompt: ClassVar[bool] = False

    def __str__(self) -> str:
        return _times(self.scale, f"run({path_text(self.path)}, {self.step})")


@dataclass(frozen=True, eq=False)
class Array:
    """An array given in Python, float32. Its text only describes it."""

    values: np.ndarray
    of_prompt: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"array of {' x '.join(map(str, self.values.shape))}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and np.array_equal(self.values, other.values, equal_nan=True)

    def __hash__(self) -> int:
        return hash((self.values.shape, self.values.tobytes()))


Value: TypeAlias = Number | ArrayFile | Mean | FileMean | FromRun | Array


def number_text(value: float) -> str:
    """The shortest text of a number: `0`, `-2.5`, `-inf`."""
    return repr(value).removesuffix(".0")


def _times(scale: float, text: str) -> str:
    return text if scale == 1 else f"{number_text(scale)} * {text}"


def path_text(path: str) -> str:
    """A path as the grammar reads it, in quotation marks where it needs them."""
    if set(path) <= _BARE:
        return path
    return f"'{path}'" if '"' in path else f'"{path}"'
