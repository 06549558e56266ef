"""Where the parts of the Lens view are in its panel: plain functions, in pixels from the panel's corner."""

from __future__ import annotations

import math
from dataclasses import dataclass

NONE, UP, ACROSS = "none", "up", "across"  # how the texts of cells are written
_ROW_LABEL, _NUMBERS, _TURNED, _LEVEL = 5.6, 1.05, 4.8, 1.2  # in ems
_UP_CELL, _UP_HEIGHT, _ACROSS_CELL, _ACROSS_HEIGHT = 0.78, 1.9, 3.0, 1.05  # the smallest cells with text, in ems
_ACROSS_NARROW = 2.2  # in cells that are not higher than wide
_WIDEST, _TALLEST = 9.0, 5.6
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_WIDE_NUMBER = 0.62  # width of a digit, in ems


@dataclass(frozen=True)
class LensLayout:
    """The grid: `rows` points below each other, positions side by side.

    x, y: its upper left corner. pitch_x, pitch_y: width and height of a cell. left: position at the left edge, not
    always a whole number. first, stop: positions that are at least partly visible. headings: how the tokens above the
    columns are written; texts: those in the cells. named: every so many columns have their token above, and numbered:
    their number. next_row: whether a row below has the token that came next.
    """

    x: float
    y: float
    width: float
    pitch_x: float
    pitch_y: float
    rows: int
    left: float
    first: int
    stop: int
    headings: str
    texts: str
    named: int
    numbered: int
    next_row: bool

    @property
    def height(self) -> float:
        """Height of all points."""
        return self.rows * self.pitch_y

    def edge(self, position: float) -> float:
        """The left edge of a position."""
        return self.x + (position - self.left) * self.pitch_x

    def cell_at(self, x: float, y: float) -> tuple[int | None, int | None]:
        """Position and point at a pixel; a label of one has no other, and outside are neither."""
        position, row = math.floor(self.left + (x - self.x) / self.pitch_x), int((y - self.y) // self.pitch_y)
        across = x >= self.x and self.first <= position < self.stop
        down = 0 <= row < self.rows
        return (position if across and row < self.rows else None), (row if down and (across or x < self.x) else None)


def lens_layout(
    whole: range, visible: tuple[float, float], points: int, width: float, height: float, em: float
) -> LensLayout:
    """Lay out a panel of width x height pixels.

    whole: all positions; visible: the position at the left edge, and how many are side by side; em: the font size.
    """
    left, shown = visible
    x = _ROW_LABEL * em
    space = max(width - x, 1.0)
    pitch_x = min(space / shown, _WIDEST * em)
    headings = ACROSS if pitch_x >= _ACROSS_CELL * em else UP
    y = (_NUMBERS + (_LEVEL if headings == ACROSS else _TURNED)) * em
    rows = max(points, 1)
    room = max(height - y, 1.0)
    next_row = room / (rows + 1) >= 0.95 * em and pitch_x >= _UP_CELL * em
    pitch_y = min(room / (rows + next_row), _TALLEST * em)
    texts = NONE
    wide = pitch_x >= _ACROSS_CELL * em or pitch_x >= max(_ACROSS_NARROW * em, pitch_y)
    if wide and pitch_y >= _ACROSS_HEIGHT * em:
        texts = ACROSS
    elif pitch_x >= _UP_CELL * em and pitch_y >= _UP_HEIGHT * em:
        texts = UP
    digits = len(str(max(whole.stop - 1, 0))) + 1
    first = max(math.floor(left), whole.start)
    stop = min(math.ceil(left + space / pitch_x - 1e-6), whole.stop)
    return LensLayout(
        x=x,
        y=y,
        width=min(space, (stop - left) * pitch_x),
        pitch_x=pitch_x,
        pitch_y=pitch_y,
        rows=rows,
        left=left,
        first=first,
        stop=stop,
        headings=headings,
        texts=texts,
        named=_step(_UP_CELL * em / pitch_x),
        numbered=_step(digits * _WIDE_NUMBER * em / pitch_x),
        next_row=next_row and texts != NONE,
    )


def _step(least: float) -> int:
    """The smallest round number of columns that is at least `least`."""
    return next((step for step in _STEPS if step >= least), _STEPS[-1])
