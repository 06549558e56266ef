"""What the menu for editing the selection and the Edits panel keep between frames. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from compute.models.tensor_index import TensorIndex

from .selection import NOTHING, Selection


@dataclass(frozen=True)
class Rectangle:
    """Rows and columns of a tensor, drawn on Map: first and last of both. Of a pattern, `head` is the one."""

    name: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    head: int | None = None

    @classmethod
    def between(cls, one: TensorIndex, other: TensorIndex) -> Rectangle | None:
        """The rectangle with these two values as corners; None when they are not in one matrix."""
        if one.name != other.name or len(one.index) != len(other.index) or not one.index:
            return None
        if len(one.index) == 3 and one.index[0] != other.index[0]:
            return None
        rows = (0, 0) if len(one.index) == 1 else _ordered(one.index[-2], other.index[-2])
        columns = _ordered(one.index[-1], other.index[-1])
        return cls(one.name, rows, columns, one.index[0] if len(one.index) == 3 else None)


@dataclass
class EditMenu:
    """The menu, and the fields of the panel.

    wanted: the next frame opens the menu. subject, rectangle: what it edits. scope: index of the chosen part. value: to
    set. vector: the file of a steering vector, as typed. run, step: where a patch comes from. error: why the latest
    choice was refused. drag: where a rectangle begins that is being drawn on Map. typed, path, preset: the fields of
    the panel. changing, text: an entry whose edit is being changed, and its new text. note: the outcome of the latest
    save or load. refused: why a typed edit was.
    """

    wanted: bool = False
    subject: Selection = NOTHING
    rectangle: Rectangle | None = None
    scope: int = 0
    value: float = 1.0
    vector: str = ""
    run: int = 0
    step: int = 0
    error: str = ""
    drag: TensorIndex | None = None
    typed: str = ""
    path: str = "session.edits"
    preset: str = ""
    text: str = ""
    changing: int | None = None
    changing_begun: bool = False
    note: str = ""
    refused: str = ""

    def open(self, subject: Selection, rectangle: Rectangle | None = None) -> None:
        """Open the menu in the next frame."""
        self.wanted, self.subject, self.rectangle, self.scope, self.error = True, subject, rectangle, 0, ""


def _ordered(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)
