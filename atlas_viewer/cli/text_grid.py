"""A table of text whose columns continue below where the line ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from atlas_viewer.media.text_width import columns_of, cut


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
    text = cut(text, width)
    return text + " " * (width - columns_of(text))
