"""Finds the recordings that edits name. The package that reads them, which this one must not import, says how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compute.errors import UsageError
from compute.io.escape import one_line
from compute.models.config import ModelConfig

from .resolved import ResolvedEdit


@dataclass(frozen=True)
class RecordedPass:
    """The pass of a recorded step: the tokens of the text before the step, of which it saw the last `context`.

    token, logit: what the step drew, to recognize a recording of another model. shown: the path for messages.
    model: the name that loads the model, None when its name is not enough. weights: their type on the GPU. prompt: how
    many of `tokens` are the prompt. steps: the tokens of all steps of the run, from the prompt on. edits: in force for
    the pass.
    """

    config: ModelConfig
    tokens: Sequence[int]
    context: int
    token: int
    logit: float
    shown: str
    model: str | None
    weights: str
    prompt: int
    steps: Sequence[int]
    edits: Sequence[ResolvedEdit] = ()


Opener = Callable[[str, int], RecordedPass]

_opener: Opener | None = None


def open_recordings_with(opener: Opener) -> None:
    """Open recordings by `opener`, which takes a path and the index of a step and raises `AtlasError`s."""
    global _opener
    _opener = opener


def recorded_pass(path: str, step: int) -> RecordedPass:
    """The pass of a step of the last run of a recording. Raises `AtlasError`s."""
    if _opener is None:
        raise UsageError(f"{one_line(path)}: recordings are read by the package atlas_viewer; import it first")
    return _opener(path, step)
