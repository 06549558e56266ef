"""A walk as data: its pages, and the pieces of their text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .subject import Subject


@dataclass(frozen=True)
class Piece:
    """A stretch of text with placeholders in it; a link when it has a target."""

    text: str
    target: Subject | None = None
    line: int = 0


@dataclass(frozen=True)
class Page:
    """A page. run: tokens to generate when it opens; hold: seconds after which the next page opens, 0 for never.

    needs: the page is left out for models without this; None for a page that fits all.
    """

    title: str
    subject: Subject
    paragraphs: tuple[tuple[Piece, ...], ...]
    line: int  # of the title
    subject_line: int
    panel: str = ""  # name of a panel to show as well
    panel_line: int = 0
    run: int = 0
    hold: float = 0.0
    needs: Subject | None = None

    @property
    def links(self) -> Iterator[Piece]:
        """Its links, in the order of the text."""
        return (piece for paragraph in self.paragraphs for piece in paragraph if piece.target is not None)


@dataclass(frozen=True)
class Walk:
    """A walk. file: the path or name that messages use."""

    title: str
    pages: tuple[Page, ...]
    file: str
