"""A table of text whose columns continue below where the line ends."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator, Sequence


def grid(names: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]], cell: int) -> Iterator[str]:
    """The lines of a table. names: of the rows; cell: characters of a column, to which longer texts are cut."""
    label = max(map(len, names))
    width = shutil.get_terminal_size((100, 24)).columns
    at_once = max(1, (width - label) // (cell + 1))
    for first in range(0, len(columns), at_once):
        if first:
            yield ""
        yield _line("", columns[first : first + at_once], label, cell)
        for name, row in zip(names, rows, strict=True):
            yield _line(name, row[first : first + at_once], label, cell)


def _line(name: str, texts: Sequence[str], label: int, cell: int) -> str:
    return " ".join([f"{name:{label}}", *(_padded(text, cell) for text in texts)]).rstrip()


def _padded(text: str, width: int) -> str:
    """The text in exactly `width` columns of a terminal; an ellipsis replaces what does not fit."""
    if columns_of(text) > width:
        while columns_of(text) > width - 1:
            text = text[:-1]
        text += "\u2026"
    return text + " " * (width - columns_of(text))


def columns_of(text: str) -> int:
    """Columns that a terminal needs for the text."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
