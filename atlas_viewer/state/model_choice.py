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
    search: str = ""  # words that the models listed must contain
    refused: bool = False  # `path` could not be opened; the next frame selects it
    offered: tuple[str, int, str] | None = None  # name, bytes to download and license, to be confirmed
    busy: str = ""  # the task running in the background
    done: int = 0  # bytes
    total: int = 0
    error: str = ""  # of the latest task or attempt to open a model

    @property
    def found(self) -> list[ModelChoice]:
        """The models whose name or description contains every word of the search."""
        words = self.search.lower().split()
        return [one for one in self.known if all(word in f"{one.name} {one.what}".lower() for word in words)]

    @property
    def new(self) -> bool:
        """True when the model offered is not in the list, so that its button is elsewhere."""
        return self.offered is not None and self.offered[0] not in {one.name for one in self.known}
