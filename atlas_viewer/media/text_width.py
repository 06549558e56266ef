"""The width of text in a font or terminal whose characters all have the same width, or twice that."""

from __future__ import annotations

import unicodedata


def columns_of(text: str) -> int:
    """Columns that the text needs."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; an ellipsis replaces what does not fit."""
    if columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - 1:
        text = text[:-1]
    return text + "\u2026"
