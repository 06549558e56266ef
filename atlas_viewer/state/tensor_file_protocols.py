"""Protocols of what writes tensors of the model to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from compute.io.array_files import ArraySpec

from .tensor_save import Scheme


class TensorSelection(Protocol):
    """Tensors selected by name; `compute.api.selection.Selection` is one."""

    @property
    def needs_pass(self) -> bool:
        """True when a tensor is not a weight, so that its values depend on the text."""

    def specs(self, rows: int) -> list[ArraySpec]:
        """The tensors as arrays, for a pass over `rows` tokens."""


class TensorsReading(Protocol):
    """Selected tensors on their way to a file; `compute.api.selection_reading.SelectionReading` is one."""

    @property
    def nbytes(self) -> int:
        """Size of all arrays, in bytes."""

    def arriving(self) -> Iterator[bytes | None]:
        """The values from the GPU in slices, or None while the next one is in flight. Never blocks."""

    def write(self, pull: Callable[[], bytes], metadata: Mapping[str, str], report: Callable[[int], object]) -> None:
        """Write the file in a thread. pull: waits for the next slice; report: receives the bytes written so far.

        Raises `OutputError`s, and what `pull` and `report` raise.
        """


class TensorFilesLike(Protocol):
    """Selects tensors of the model for files; `tensor_files.TensorFiles` is one."""

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""

    def select(self, globs: str, scheme: Scheme) -> TensorSelection:
        """The tensors of names and globs between spaces. Raises `UsageError`s."""

    def reading(self, globs: str, scheme: Scheme, path: str, tokens: Sequence[int]) -> TensorsReading:
        """The selection in the latest pass, for a new file. tokens: those of the pass. Raises `AtlasError`s."""
