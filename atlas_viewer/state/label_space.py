"""Space for labels in a picture: what is taken by data or by other labels. Plain geometry, in pixels."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from .roles import Role

# Heights of letters; letters are half as wide as they are high.
REGION, STAGE, TENSOR, SMALL = 17, 15, 13, 12
_GAP = 1.0  # between labels
HEAD_MARK = "#"  # in `Label.of`, between the name of a pattern and the number of a head


@dataclass(frozen=True)
class Label:
    """Text with its top left corner at (x, y) of the picture, in pixels.

    of: the tensor or part of the model that it names, if any. role: of the tensor that it names. ruler: whether it
    belongs to a ruler at the edge of the picture. to: a point that a line joins it with.
    """

    text: str
    x: float
    y: float
    size: int
    of: str = ""
    role: Role | None = None
    ruler: bool = False
    to: tuple[float, float] | None = None

    @property
    def width(self) -> float:
        """In pixels."""
        return text_width(self.text, self.size)


@dataclass(frozen=True)
class Ruler:
    """An opaque strip at an edge of the picture with labels of what continues behind it, in pixels."""

    x: float
    y: float
    width: float
    height: float


def text_width(text: str, size: int) -> float:
    """Width of a text in pixels; East Asian letters are twice as wide as others."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return (len(text) + wide) * size / 2


def elided(text: str, width: float, size: int) -> str:
    """The text cut to `width` pixels, with an ellipsis; empty if not even two letters fit."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while len(kept) > 1 and text_width(kept + "…", size) > width:
        kept = kept[:-1]
    return kept + "…" if len(kept) > 1 and text_width(kept + "…", size) <= width else ""


class LabelSpace:
    """Accepts labels that cover neither data nor each other and are not cut off."""

    def __init__(self, data: np.ndarray, bounds: tuple[float, float, float, float]) -> None:
        """data: boxes [n, (left, top, right, bottom)] that stay free; bounds: the same for what can be written on."""
        self._data, self._bounds = data, bounds
        self._taken = np.zeros((0, 4))
        self.labels: list[Label] = []

    def add(self, *variants: Label) -> bool:
        """Add the first of these labels that has space; False if none has."""
        for label in variants:
            if label.text and self._free(label):
                self._accept(label)
                return True
        return False

    def add_ruled(self, *variants: Label) -> bool:
        """As `add`, for labels in a ruler, which covers data by itself."""
        for label in variants:
            if label.text and self._free(label, ruled=True):
                self._accept(label)
                return True
        return False

    def _accept(self, label: Label) -> None:
        box = np.array([[label.x, label.y, label.x + label.width, label.y + label.size]])
        self._taken = np.concatenate([self._taken, box])
        self.labels.append(label)

    def _free(self, label: Label, *, ruled: bool = False) -> bool:
        left, top, right, bottom = label.x, label.y, label.x + label.width, label.y + label.size
        low_x, low_y, high_x, high_y = self._bounds
        if ruled:
            low_x = low_y = 0.0
        if left < low_x or top < low_y or right > high_x or bottom > high_y:
            return False
        for boxes, gap in ((self._taken, _GAP),) if ruled else ((self._data, 0.0), (self._taken, _GAP)):
            if (
                len(boxes)
                and (
                    (boxes[:, 0] < right + gap)
                    & (boxes[:, 2] > left - gap)
                    & (boxes[:, 1] < bottom + gap)
                    & (boxes[:, 3] > top - gap)
                ).any()
            ):
                return False
        return True
