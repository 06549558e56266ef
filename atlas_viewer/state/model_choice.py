"""The models that can be opened or fetched in the window. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelChoice:
    """A model by the name that `--model` knows. `here`: it can be opened without being fetched."""

    name: str
    what: str
    license: str
    here: bool


@dataclass
class ModelChoices:
    """The part of the state about other models."""

    known: Sequence[ModelChoice] = ()
    path: str = ""  # of a file or folder, as it is typed
    offered: tuple[str, int, str] | None = None  # name, bytes to come and licence, to be confirmed
    busy: str = ""  # what is going on in the background
    done: int = 0  # bytes
    total: int = 0
    error: str = ""
