"""Space for labels in a picture: what is taken by data or by other labels. Plain geometry, in pixels."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np

from .roles import Role

# Heights of letters; letters are half as wide as they are high.
REGION, STAGE, TENSOR, SMALL = 17, 15, 13, 12
_GAP = 1.0  # between labels
Box = tuple[float, float, float, float]  # left, top, right and bottom
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


@functools.lru_cache(4096)
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

    def corners_in(self, box: Box) -> np.ndarray:
        """Positions [n, 2] for labels below and to the right of the data in a box."""
        left, top, right, bottom = box
        data = self._data
        whole = (data[:, 0] >= left - 1) & (data[:, 2] <= right + 1) & (data[:, 1] >= top - 1) & (data[:, 1] <= bottom)
        return np.concatenate([data[whole][:, (0, 3)] + (0, 2), data[whole][:, (2, 1)] + (3, 0)])

    def first_free(self, corners: np.ndarray, wide: float, high: float, box: Box) -> tuple[float, float] | None:
        """The first of the corners [n, 2] where a label of wide x high pixels has space in a box; None if none has."""
        (left, top), (right, bottom) = np.maximum(box[:2], self._bounds[:2]), np.minimum(box[2:], self._bounds[2:])
        ends = corners + np.array([wide, high])
        fits = ((corners >= (left, top)) & (ends <= (right, bottom))).all(axis=1)
        low, end = corners[fits, None], ends[fits, None]
        free = np.ones(len(low), bool)
        for boxes, gap in ((self._data, 0.0), (self._taken, _GAP)):
            near = boxes[((boxes[:, :2] < (right, bottom)) & (boxes[:, 2:] > (left, top))).all(axis=1)]
            crossed = ((near[:, :2] < end + gap) & (near[:, 2:] > low - gap)).all(axis=2)
            free &= ~np.any(crossed, axis=1)
        if not free.any():
            return None
        x, y = low[free.argmax(), 0].tolist()
        return x, y

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
