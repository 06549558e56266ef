"""A drawing of rectangles and texts, which can be written as SVG or painted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from .text_width import columns_of

Rgb: TypeAlias = tuple[float, float, float]  # red, green, blue from 0 to 1, sRGB-encoded

ADVANCE = 0.6
"""Width of a character, relative to the size of its text: that of most fixed-width fonts."""
ANCHORS = ("start", "middle", "end")


@dataclass(frozen=True)
class Box:
    """A filled rectangle, in pixels from the top left corner. hint: shown when the mouse is over it, in SVG."""

    x: float
    y: float
    width: float
    height: float
    color: Rgb
    hint: str = ""


@dataclass(frozen=True)
class Words:
    """A text on one line, of a font with characters of one width. y: its baseline; anchor: one of `ANCHORS`."""

    x: float
    y: float
    text: str
    size: float
    color: Rgb
    anchor: str = "start"
    bold: bool = False

    @property
    def width(self) -> float:
        """Width in pixels."""
        return columns_of(self.text) * ADVANCE * self.size

    @property
    def left(self) -> float:
        """Its left end, in pixels."""
        return self.x - self.width * ANCHORS.index(self.anchor) / 2


@dataclass
class Drawing:
    """Boxes, and over them texts, on a background. title: says what it shows, as metadata."""

    width: int
    height: int
    background: Rgb
    title: str
    boxes: list[Box] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
