"""The sheet: the cells of Strip as the window arranges them, a band per part of the model and a box per tensor.

Strip itself is one row of cells after another. The sheet shows the same cells, numbered the same way.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from dataclasses import dataclass

from .strip_layout import BUDGETS, WIDTH, Span, StripLayout

ROWS = 32  # cells, the height of a box
GAP = 6  # cells between boxes, and around the sheet
NAMES = 11  # cells above a line of boxes, for their names
BAND_GAP = 4  # additional cells between bands
_STEP = 32  # cells between the widths that are tried
_ASPECT = 16 / 9  # of the picture in which cells are to be as large as possible


@dataclass(frozen=True)
class Box:
    """The cells of one span, row by row, with the first at (x, y). Its size does not change as the text grows."""

    span: Span
    x: int
    y: int
    columns: int

    @property
    def rows(self) -> int:
        """The rows that have cells; the last may be incomplete."""
        return -(-self.span.cells // self.columns)


@dataclass(frozen=True)
class Band:
    """The lines of boxes of one part of the model."""

    title: str
    y: int
    height: int


_Part = tuple[str, tuple[int, ...]]  # a title, and the columns of each box
# The corners of boxes, the width and height of the sheet, and its bands.
_Arrangement = tuple[tuple[tuple[int, int], ...], int, int, tuple[Band, ...]]


@dataclass(frozen=True)
class StripSheet:
    """All boxes in the order of Strip, and all bands from top to bottom. Units are cells; y points down."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    bands: tuple[Band, ...]

    def box_at(self, x: float, y: float) -> Box | None:
        """The box that contains this point."""
        return next((box for box in self.boxes if box.x <= x < box.x + box.columns and box.y <= y < box.y + ROWS), None)

    def cell_at(self, x: float, y: float) -> int | None:
        """The number of the cell of Strip at this point; None where there is none."""
        box = self.box_at(x, y)
        if box is None:
            return None
        index = int(y - box.y) * box.columns + int(x - box.x)
        return box.span.first + index if index < box.span.cells else None

    def box_of(self, cell: int) -> Box | None:
        """The box that shows this cell of Strip; None for cells of no tensor."""
        position = bisect.bisect_right(self.boxes, cell, key=lambda box: box.span.first) - 1
        return self.boxes[position] if position >= 0 and cell <= self.boxes[position].span.last else None

    def position_of(self, cell: int) -> tuple[int, int] | None:
        """The column and row of this cell of Strip; None for cells of no tensor."""
        box = self.box_of(cell)
        if box is None:
            return None
        row, column = divmod(cell - box.span.first, box.columns)
        return box.x + column, box.y + row

    def from_strip(self, x: float, y: float) -> tuple[float, float]:
        """The point of the sheet that shows a point of Strip. In a gap of Strip, that of the nearest cell."""
        if not self.boxes:
            return x, y
        cell = int(y) * WIDTH + min(max(int(x), 0), WIDTH - 1)
        if self.box_of(cell) is None:
            spans = (box.span for box in self.boxes)
            cell = min((min(max(cell, span.first), span.last) for span in spans), key=lambda near: abs(near - cell))
        position = self.position_of(cell)
        assert position is not None
        return position[0] + x % 1, position[1] + y % 1

    def to_strip(self, x: float, y: float) -> tuple[float, float]:
        """The point of Strip that a point of the sheet shows. Between boxes, that of the nearest box."""
        if not self.boxes:
            return x, y

        def offset(box: Box) -> float:
            across = max(box.x - x, x - box.x - box.columns, 0)
            down = max(box.y - y, y - box.y - box.rows, 0)
            return across**2 + down**2

        box = min(self.boxes, key=offset)
        column = min(max(int(x - box.x), 0), box.columns - 1)
        row = min(max(int(y - box.y), 0), box.rows - 1)
        index = min(row * box.columns + column, box.span.cells - 1)
        down, across = divmod(box.span.first + index, WIDTH)
        return across + x % 1, down + y % 1


EMPTY_SHEET = StripSheet(640, 360, (), ())


def strip_sheet(layout: StripLayout, title_of: Callable[[str], str]) -> StripSheet:
    """Arrange the spans of `layout`. title_of: the title of the part of the model that a tensor belongs to."""
    if not layout.spans:
        return EMPTY_SHEET
    parts: list[tuple[str, list[Span]]] = []
    for span in layout.spans:
        title = title_of(span.name)
        if not parts or parts[-1][0] != title:
            parts.append((title, []))
        parts[-1][1].append(span)
    # Columns change less often than spans, and finding the best width takes milliseconds.
    corners, width, height, bands = _best(
        tuple((title, tuple(_columns(span) for span in spans)) for title, spans in parts)
    )
    boxes = tuple(Box(span, x, y, _columns(span)) for span, (x, y) in zip(layout.spans, corners, strict=True))
    return StripSheet(width, height, boxes, bands)


@functools.lru_cache(8)
def _best(parts: tuple[_Part, ...]) -> _Arrangement:
    """The arrangement with the largest cells in a picture of the usual proportions."""
    least = max(max(columns) for _, columns in parts)
    most = max(sum(columns) + GAP * len(columns) for _, columns in parts)
    arranged = (_arranged(parts, width) for width in range(least, max(most, least) + _STEP, _STEP))
    return min(arranged, key=lambda found: max(found[1], found[2] * _ASPECT))


def _columns(span: Span) -> int:
    """Columns of a span's box. Weights never change; activations and logits have space for all their cells."""
    cells = span.cells if span.kind == "weight" else BUDGETS[span.kind]
    return -(-cells // ROWS)


def _arranged(parts: tuple[_Part, ...], width: int) -> _Arrangement:
    """Lines of at most `width` cells."""
    corners: list[tuple[int, int]] = []
    bands: list[Band] = []
    y, right = GAP, 0
    for title, columns in parts:
        top = y
        for line in _lines(columns, width):
            x = GAP
            for wide in line:
                corners.append((x, y + NAMES))
                x += wide + GAP
            right = max(right, x)
            y += NAMES + ROWS
        bands.append(Band(title, top, y - top))
        y += BAND_GAP
    return tuple(corners), right, y - BAND_GAP + GAP, tuple(bands)


def _lines(columns: tuple[int, ...], width: int) -> list[list[int]]:
    """The boxes in as few lines of at most `width` cells as possible, which are about equally long."""
    lines = _wrapped(columns, width)
    for narrower in range(width - _STEP, 0, -_STEP):
        balanced = _wrapped(columns, narrower)
        if len(balanced) > len(lines):
            break
        lines = balanced
    return lines


def _wrapped(columns: tuple[int, ...], width: int) -> list[list[int]]:
    lines: list[list[int]] = [[]]
    used = 0
    for wide in columns:
        if lines[-1] and used + wide > width:
            lines.append([])
            used = 0
        lines[-1].append(wide)
        used += wide + GAP
    return lines
