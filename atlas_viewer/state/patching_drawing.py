"""A map of the Patching panel as a drawing, which can be written as PNG or SVG."""

from __future__ import annotations

import math

from atlas_viewer.media.drawing import ADVANCE, Box, Drawing, Rgb, Words
from atlas_viewer.media.text_width import columns_of, cut
from compute.io.escape import one_line

from . import patching_text
from .patching_view import MLP, MapResult

_SIZE, _SMALL, _TITLE = 12.0, 10.0, 16.0  # of texts, in pixels
_WIDE, _HIGH, _GAP, _MARGIN = 52, 26, 1, 24
_LEAST_WIDTH, _LONGEST = 720, 12  # characters of a column's name
_WHITE: Rgb = (1.0, 1.0, 1.0)
_INK, _DIM, _MISSING = (0.09, 0.11, 0.15), (0.36, 0.40, 0.46), (0.80, 0.80, 0.82)
_LOW, _HIGHEST = (0.10, 0.36, 0.72), (0.80, 0.33, 0.02)  # blue and orange differ for every eye
_BAR = 200


def color_of(share: float) -> Rgb:
    """The color of a value at `share`, -1 to 1, of the limit: blue, white, orange."""
    end, part = _HIGHEST if share >= 0 else _LOW, min(abs(share), 1.0)
    red, green, blue = (1 + (one - 1) * part for one in end)
    return (red, green, blue)


def map_drawing(result: MapResult, *, control: bool = False) -> Drawing:
    """The map with its title, ticks, token texts, legend and safeguards; control: that of the random vectors."""
    values = result.control if control and result.control is not None else result.values
    rows, columns = values.shape
    labels = round(len(f"layer {rows - 1}") * ADVANCE * _SIZE) + 14
    left = _MARGIN + labels
    lines = [patching_text.meaning(result), *(text for text, _ in patching_text.safeguards(result))]
    width = max(left + columns * _WIDE + _MARGIN, _LEAST_WIDTH)
    drawing = Drawing(width, 0, _WHITE, patching_text.title(result))
    fits = int((width - 2 * _MARGIN) / (ADVANCE * _SIZE))
    y = _MARGIN + _TITLE
    drawing.words.append(Words(_MARGIN, y, cut(drawing.title, int(fits * _SIZE / _TITLE)), _TITLE, _INK, bold=True))
    for line in lines:
        y += 17
        drawing.words.append(Words(_MARGIN, y, cut(one_line(line), fits), _SIZE, _DIM))
    top = y + 50
    _headings(drawing, result, left, top)
    limit = result.limit
    for row in range(rows):
        middle = top + row * _HIGH + 17
        drawing.words.append(Words(left - 10, middle, f"layer {row}", _SIZE, _INK, "end"))
        drawing.boxes.append(Box(left - 6, top + row * _HIGH + _HIGH / 2, 4, 1, _DIM))
        for column in range(columns):
            value, x = float(values[row, column]), left + column * _WIDE
            color = color_of(value / limit) if math.isfinite(value) else _MISSING
            hint = patching_text.cell_text(result, (row, column))
            drawing.boxes.append(Box(x, top + row * _HIGH, _WIDE - _GAP, _HIGH - _GAP, color, hint))
            text = f"{round(value, 2) + 0.0:.2f}" if math.isfinite(value) else "-"
            ink = _WHITE if math.isfinite(value) and abs(value / limit) > 0.7 else _INK
            drawing.words.append(Words(x + _WIDE / 2, middle, text, _SIZE, ink, "middle"))
    bottom = top + rows * _HIGH + 14
    _legend(drawing, left, bottom, limit, negative=bool((values < 0).any()))
    drawing.height = int(bottom + 46)
    return drawing


def _headings(drawing: Drawing, result: MapResult, left: float, top: float) -> None:
    """The number of each column, its token, and a tick."""
    positions = result.columns[0] != "0" or (result.job.over != "heads" and MLP not in result.columns)
    fits = int((_WIDE - 4) / (ADVANCE * _SMALL))
    for column, name in enumerate(result.columns):
        x = left + column * _WIDE + _WIDE / 2
        drawing.boxes.append(Box(x, top - 6, 1, 4, _DIM))
        if positions:
            drawing.words.append(Words(x, top - 24, str(column), _SMALL, _DIM, "middle"))
            text = one_line(name).replace(" ", "\u00b7")
            drawing.words.append(Words(x, top - 10, cut(text, fits), _SMALL, _INK, "middle", bold=True))
        else:
            text = name if name == MLP else f"head {name}"
            drawing.words.append(Words(x, top - 10, cut(text, max(fits, columns_of("head 9"))), _SMALL, _INK, "middle"))


def _legend(drawing: Drawing, x: float, y: float, limit: float, *, negative: bool) -> None:
    """A bar of all colors with ticks."""
    low = -limit if negative else 0.0
    for step in range(_BAR):
        share = (low + (limit - low) * step / (_BAR - 1)) / limit
        drawing.boxes.append(Box(x + step, y, 1, 12, color_of(share)))
    for value in (low, (low + limit) / 2, limit):
        at = x + (_BAR - 1) * (value - low) / (limit - low)
        drawing.boxes.append(Box(at, y + 12, 1, 4, _DIM))
        drawing.words.append(Words(at, y + 27, f"{value:.3g}", _SMALL, _DIM, "middle"))
