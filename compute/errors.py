"""All exceptions. An error that a user can cause is an `AtlasError`, whose one-line message says what happened,
where, and what to do.

Messages name an option by `option`, because a Python caller writes it in another way than one of the command line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

Spelling: TypeAlias = Callable[[str, tuple[object, ...]], str]


def python_option(name: str, value: tuple[object, ...]) -> str:
    """An argument as Python callers write it: `context=64`, `weights="f16"`, or `context=` without a value."""
    if value and isinstance(value[0], str):
        return f'{name}="{value[0]}"'
    return f"{name}=" + "".join(" ".join(str(one).split()) for one in value)


_spelling: Spelling = python_option


def option(name: str, *value: object) -> str:
    """The option of that Python name, with its value if one is given, as the caller of the program writes it."""
    return _spelling(name, value)


@contextlib.contextmanager
def options_spelled(spelling: Spelling) -> Iterator[None]:
    """Messages made inside, in any thread, name options by `spelling`. Otherwise it is `python_option`."""
    global _spelling
    before, _spelling = _spelling, spelling
    try:
        yield
    finally:
        _spelling = before


class AtlasError(Exception):
    """Base class of the errors that the user sees. `exit_status` is the exit status of the command."""

    exit_status = 1


class UsageError(AtlasError):
    """An option or argument has a value that can never work."""

    exit_status = 2


class TensorNameError(UsageError, KeyError):
    """No tensor has this name, or the run did not keep the tensor."""

    __str__ = Exception.__str__  # KeyError shows its message in quotation marks


class CheckpointError(AtlasError):
    """A model file, or a file of a lens or of an edit, is missing, damaged or unsupported."""


class TensorsError(CheckpointError):
    """The tensors of a model file do not match its config. `problems` contains one line per tensor."""

    def __init__(self, message: str, problems: list[str]) -> None:
        super().__init__(message)
        self.problems = problems


class TokenizerError(AtlasError):
    """A tokenizer file cannot be read or does not match the model."""


class PromptError(AtlasError):
    """The prompt is not valid text."""


class DeviceError(AtlasError):
    """There is no usable adapter, or the device was lost."""


class MemoryBudgetError(DeviceError):
    """The model, its context or the arrays to keep exceed the memory of the adapter or host, or a binding limit."""


class DisplayError(AtlasError):
    """No window can be opened on this system."""


class OutputError(AtlasError):
    """A result cannot be written."""


class OutputExistsError(OutputError):
    """The target already exists and must not be replaced."""


class RecordingError(AtlasError):
    """A recording cannot be read, written or replayed, or its contents are inconsistent."""


class FetchError(AtlasError):
    """A model cannot be downloaded, or the download is incomplete or damaged."""


class TourError(AtlasError):
    """A scripted tour cannot be read or played."""


class WalkError(AtlasError):
    """A walk file cannot be read, or names something that the model does not have."""
