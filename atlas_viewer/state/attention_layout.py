"""Where the parts of the Attention view are in its panel: plain functions, in pixels from the panel's corner."""

from __future__ import annotations

from dataclasses import dataclass

from compute.views.attention_head import WEIGHTS

from .attention_view import STEPS, AttentionView

# In ems.
_GAP, _LAYER_LABEL, _HEAD_LABEL, _TILE_LABEL = 0.8, 1.9, 1.2, 1.05
_LABELED_TILE = 3.6  # the narrowest tile with a label below it
_LARGEST_TILE, _SMALLEST_TILE = 7.0, 0.4
_ROW_LABEL, _COLUMN_LABEL, _TITLE = 6.0, 4.6, 1.5
_TEXT, _TALLEST_TEXT = 5.4, 11.0  # the text below
_LOW = 15.0  # panels below this height have no text
_WALL_SHARE, _TEXT_SHARE = 0.36, 0.24
_SMALLER = 0.62  # how much smaller three matrices may be than one alone
_LARGE = 17.0  # a matrix of this size is large enough in any case


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
class AttentionLayout:
    """The parts. matrices: (step, left edge) of each; text: top edge and height of the text, 0 without one."""

    wall: WallBox
    matrices: tuple[tuple[int, int], ...]
    top: int  # of the matrices
    side: int  # of each, 0 if there is no space for one
    row_label: int  # width to the left of the first matrix
    column_label: int  # height above the matrices
    title: int  # height above that
    text: tuple[int, int]


def attention_layout(view: AttentionView, width: float, height: float, em: float) -> AttentionLayout:
    """Lay out a panel of width x height pixels. em: the font size."""
    text = 0
    if height >= _LOW * em:
        text = int(min(max(_TEXT_SHARE * height, _TEXT * em), _TALLEST_TEXT * em))
    body = height - text
    wall = _wall(view, width, body, em)
    left = wall.x + wall.width + int(_GAP * em)
    space = width - left
    row_label = int(min(_ROW_LABEL * em, 0.22 * space))
    column_label = int(min(_COLUMN_LABEL * em, 0.25 * body))
    title, gap = int(_TITLE * em), int(_GAP * em)
    tall = body - title - column_label - 0.4 * em
    one = max(0, int(min(tall, space - row_label - gap)))
    three = max(0, int(min(tall, (space - row_label - 3 * gap) / len(STEPS))))
    every = view.step is None and (three >= _SMALLER * one or three >= _LARGE * em)
    steps = STEPS if every else ((WEIGHTS if view.step is None else view.step),)
    side = three if every else one
    used = row_label + len(steps) * (side + gap) - gap
    start = left + max(0, int(space - gap - used)) // 2 + row_label
    return AttentionLayout(
        wall,
        tuple((step, start + index * (side + gap)) for index, step in enumerate(steps)),
        title + column_label,
        side,
        row_label,
        column_label,
        title,
        (int(height) - text, text),
    )


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
    pitch_x = int(max(pitch, _LABELED_TILE * em)) if label else int(pitch)
    return WallBox(
        left, top, columns, layers, max(2, pitch_x), max(2, int(pitch) + label), max(1, int(pitch) - gap), label
    )
