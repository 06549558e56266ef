"""The models that can be opened or downloaded in the window. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelChoice:
    """A model, by the name that `--model` accepts. `here`: True if it can be opened without a download."""

    name: str
    what: str
    license: str
    here: bool


@dataclass
class ModelChoices:
    """The state of the models dialog."""

    known: Sequence[ModelChoice] = ()
    path: str = ""  # of a file or folder, as typed
    refused: bool = False  # `path` could not be opened; the next frame selects it
    offered: tuple[str, int, str] | None = None  # name, bytes to download and license, to be confirmed
    busy: str = ""  # the task running in the background
    done: int = 0  # bytes
    total: int = 0
    error: str = ""  # of the latest task or attempt to open a model
