"""The default arrangement of panels for a window's size: plain functions, without imgui. All sizes are in ems.

The picture of Strip or Map gets at least half of the window. Panels give way to it in steps: the area below it closes
first, then the second column, then the first. A panel without an area of its own becomes a tab, or opens over the
picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FOLDED, COLUMN, COLUMNS, FULL = "folded", "column", "columns", "full"
NAMES = (COLUMN, COLUMNS, FULL)  # of arrangements with docked panels
CENTER = "center"  # the area of Strip and Map
GOAL = 0.505  # fraction of the window for the picture, with a margin over one half

# Around the picture: menus, tabs, tools, color bar and the line about a value; and padding at its sides.
_AROUND_HIGH, _AROUND_WIDE = 10.0, 1.8
_MENUS = 1.6
# The left column contains fields of fixed width; text and tables gain more from a wider window.
_LEFT, _LEFT_WIDEST = 18.8, 24.0
_RIGHT, _RIGHT_SHARE = 26.0, 0.24
_COLUMN, _COLUMN_WIDEST = 25.0, 30.0
_BELOW = 15.0
_TALL = 40.0  # the lowest window whose columns have space for three areas
_PROMPT, _SAMPLING = 13.4, 20.4  # the lowest areas for these panels


@dataclass(frozen=True)
class Arrangement:
    """A default arrangement: widths of the columns and height of the area below the picture, 0 for none."""

    name: str
    left: float = 0.0
    right: float = 0.0
    below: float = 0.0


@dataclass(frozen=True)
class Area:
    """A rectangle for panels that are tabs of each other."""

    name: str
    width: float
    height: float

    @property
    def has_center(self) -> bool:
        """True for the area of Strip and Map."""
        return self.name == CENTER


@dataclass(frozen=True)
class Split:
    """A rectangle of two parts, side by side if `across`, otherwise one above the other."""

    across: bool
    first: Area | Split
    second: Area | Split

    @property
    def has_center(self) -> bool:
        """True when Strip and Map are in it."""
        return self.first.has_center or self.second.has_center

    @property
    def width(self) -> float:
        """The width of both parts."""
        return self.first.width + self.second.width if self.across else self.first.width

    @property
    def height(self) -> float:
        """The height of both parts."""
        return self.first.height if self.across else self.first.height + self.second.height


def arrange(width: float, height: float, bar: float = 0.0) -> Arrangement:
    """The richest arrangement that leaves the picture its share of a window of width x height.

    bar: height of a bar along the bottom of the window.
    """
    if height - bar < _TALL:
        return Arrangement(FOLDED)
    spare = _spare(width, _AROUND_WIDE, 1 - (_AROUND_HIGH + bar) / height)
    if spare < _COLUMN:
        return Arrangement(FOLDED)
    if spare < _LEFT + _RIGHT:
        return Arrangement(COLUMN, left=min(spare, _COLUMN_WIDEST))
    left = min(max(_LEFT, 0.1 * width), _LEFT_WIDEST)
    right = min(max(_RIGHT, _RIGHT_SHARE * width), spare - left)
    below = _spare(height, _AROUND_HIGH + bar, 1 - (left + right + _AROUND_WIDE) / width)
    if below >= _BELOW:
        return Arrangement(FULL, left, right, min(below, 2 * _BELOW))
    return Arrangement(COLUMNS, left, right)


def _spare(side: float, around: float, other: float) -> float:
    """The length of `side` that is free for panels. other: the picture's fraction of the other side."""
    return side * (1 - GOAL / max(other, 1e-6)) - around


def areas(arrangement: Arrangement, width: float, height: float) -> Area | Split:
    """Divide a window of width x height, without its menu bar, into the areas of an arrangement."""
    height -= _MENUS
    left, right, below = arrangement.left, arrangement.right, arrangement.below
    center: Area | Split = Area(CENTER, width - left - right, height - below)
    if below:
        center = Split(False, center, Area("below", center.width, below))
    if right:
        tables = () if below else (("tables", 0.34 * height),)
        parts = (("right, top", 0.2 * height), ("right, middle", 0.22 * height), *tables, ("right, bottom", 0.0))
        center = Split(True, center, _stack(parts, right, height))
    if left and right:
        prompt = max(_PROMPT, 0.26 * height)
        parts = (("left, top", prompt), ("left, middle", max(_SAMPLING, 0.3 * height)), ("left, bottom", 0.0))
        center = Split(True, _stack(parts, left, height), center)
    elif left:
        parts = (("top", max(_PROMPT, 0.26 * height)), ("middle", 0.28 * height), ("bottom", 0.0))
        center = Split(True, _stack(parts, left, height), center)
    return center


def _stack(parts: Sequence[tuple[str, float]], width: float, height: float) -> Area | Split:
    """Areas above each other, each with a name and a height. The last one gets the height that is left."""
    (name, high), *others = parts
    if not others:
        return Area(name, width, height)
    high = min(high, 2 / 3 * height)
    return Split(False, Area(name, width, high), _stack(others, width, height - high))
