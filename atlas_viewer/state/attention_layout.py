"""Where the parts of the Attention view are in its panel: plain functions, in pixels from the panel's corner."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .attention_view import STEPS, AttentionView

# In ems.
_GAP, _LAYER_LABEL, _HEAD_LABEL, _TILE_LABEL = 0.8, 1.9, 1.2, 1.05
_LABELED_TILE, _WIDE_LABEL = 2.6, 4.1  # the narrowest tile with a label below it, and with one that has a value
_LARGEST_TILE, _SMALLEST_TILE = 7.0, 0.4
_ROW_LABEL, _COLUMN_LABEL, _TITLE = 6.0, 4.6, 1.5
_TEXT, _TALLEST_TEXT = 5.4, 11.0  # the text below
_LOW = 15.0  # panels below this height have no text
_WALL_SHARE, _TEXT_SHARE = 0.36, 0.24
_LEAST, _SMALL = 2.0, 7.0  # the smallest matrices: any, and those beside a large one
_ROW_SHARE = 0.75  # how much smaller three matrices in a row may be than the large one


@dataclass(frozen=True)
class WallBox:
    """The wall of heads: `columns` x `rows` tiles of `side` pixels, the first at (x, y).

    label: height of the text below each tile; 0 without one.
    """

    x: int
    y: int
    columns: int
    rows: int
    pitch_x: int
    pitch_y: int
    side: int
    label: int

    @property
    def width(self) -> int:
        """Width of all tiles."""
        return self.columns * self.pitch_x

    @property
    def height(self) -> int:
        """Height of all tiles."""
        return self.rows * self.pitch_y


@dataclass(frozen=True)
class MatrixBox:
    """A matrix at (x, y), `side` pixels wide and high, with its title above. labels: whether tokens are on its axes."""

    step: int
    x: int
    y: int
    side: int
    labels: bool


@dataclass(frozen=True)
class AttentionLayout:
    """The parts. matrices: the large one first; empty if there is no space for one.

    row_label, column_label: space for tokens to the left of and above a matrix; title: height of a title; text: top
    edge and height of the text, 0 without one.
    """

    wall: WallBox
    matrices: tuple[MatrixBox, ...]
    row_label: int
    column_label: int
    title: int
    text: tuple[int, int]


def attention_layout(view: AttentionView, width: float, height: float, em: float) -> AttentionLayout:
    """Lay out a panel of width x height pixels. em: the font size."""
    text = 0
    if height >= _LOW * em:
        text = int(min(max(_TEXT_SHARE * height, _TEXT * em), _TALLEST_TEXT * em))
    body = height - text
    wall = _wall(view, width, body, em)
    left = wall.x + wall.width + int(_GAP * em)
    space = int(width - left)
    row_label = int(min(_ROW_LABEL * em, 0.22 * space))
    column_label = int(min(_COLUMN_LABEL * em, 0.25 * body))
    labels = _Labels(row_label, column_label, int(_TITLE * em), int(_GAP * em))
    matrices = _matrices(view.step, space, int(body - 0.4 * em), labels, em)
    moved = tuple(replace(box, x=box.x + left) for box in matrices if box.side >= _LEAST * em)
    return AttentionLayout(wall, moved, row_label, column_label, labels.title, (int(height) - text, text))


@dataclass(frozen=True)
class _Labels:
    row: int
    column: int
    title: int
    gap: int


def _matrices(step: int, width: int, height: int, labels: _Labels, em: float) -> list[MatrixBox]:
    """The matrices in a space of width x height: in a row when they can all be large, otherwise two small ones beside
    the one of `step`, or that one alone."""
    top = labels.title + labels.column
    tall = height - top
    others = [other for other in STEPS if other != step]
    row = min(tall, (width - labels.row - 3 * labels.gap) // 3)
    small = int(_SMALL * em)
    large = min(tall, width - labels.row - 3 * labels.gap - small)
    if row >= _ROW_SHARE * large:
        lefts = [labels.row + index * (row + labels.gap) for index in range(len(STEPS))]
        boxes = [MatrixBox(at, left, top, row, True) for at, left in zip(STEPS, lefts, strict=True)]
        return sorted(boxes, key=lambda box: box.step != step)
    if large < small:
        return [MatrixBox(step, labels.row, top, max(0, min(tall, width - labels.row - labels.gap)), True)]
    space = width - large - labels.row - 3 * labels.gap
    small = min(space, (height - labels.gap) // 2 - labels.title)
    start = (space - small) // 2
    return [
        MatrixBox(step, start + small + 2 * labels.gap + labels.row, top, large, True),
        *(
            MatrixBox(other, start, labels.title + index * (small + labels.title + labels.gap), small, False)
            for index, other in enumerate(others)
        ),
    ]


def _wall(view: AttentionView, width: float, body: float, em: float) -> WallBox:
    layers = max(1, len(view.patterns))
    columns = max((head + 1 for _, head in view.heads), default=1)
    ranked = bool(view.order.statistic)
    left = int(em * (0.3 if ranked else _LAYER_LABEL))
    top = int(em * (0.3 if ranked else _HEAD_LABEL))
    wide = (_WALL_SHARE * width - left) / columns
    label = int(_TILE_LABEL * em) if ranked else 0
    high = (body - top) / layers
    if label and (wide < _LABELED_TILE * em or high - label < 1.5 * em):
        label = 0
    pitch = max(_SMALLEST_TILE * em, min(wide, high - label, _LARGEST_TILE * em))
    gap = max(1, int(0.12 * pitch)) if pitch > 6 else 1
    pitch_x = int(max(pitch, min(wide, _WIDE_LABEL * em))) if label else int(pitch)
    return WallBox(
        left, top, columns, layers, max(2, pitch_x), max(2, int(pitch) + label), max(1, int(pitch) - gap), label
    )
