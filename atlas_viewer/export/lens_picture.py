"""The grid of a lens as a picture: layers by positions, with the likeliest token in each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atlas_viewer.media.drawing import ADVANCE, Box, Drawing, Rgb, Words
from atlas_viewer.media.svg import svg
from atlas_viewer.media.text_width import cut
from atlas_viewer.scene.paint import paint
from compute.io.escape import one_line
from compute.io.output_files import output_file, write_output
from compute.lens.cell_json import Cells

SUFFIXES = (".png", ".svg")
_SIZE, _SMALL, _TITLE = 12.0, 10.0, 18.0  # of texts, in pixels
_WIDE, _HIGH = 88, 34  # a cell
_MOST = 16  # columns side by side; more continue below
_MARGIN, _GAP, _HEAD, _BETWEEN = 24, 1, 40, 24
_LEAST_WIDTH = 720
_LINE = 3  # where the prediction is decided
_WHITE: Rgb = (1.0, 1.0, 1.0)
_INK, _DIM, _PALE = (0.09, 0.11, 0.15), (0.36, 0.40, 0.46), (0.86, 0.88, 0.91)
_ACCENT, _MADE = (0.80, 0.26, 0.03), (0.55, 0.17, 0.42)
# Lightness falls evenly, so that the ramp survives printing in gray and any kind of color vision.
_RAMP = ((0.955, 0.965, 0.98), (0.62, 0.79, 0.88), (0.19, 0.51, 0.74), (0.03, 0.19, 0.42))


@dataclass(frozen=True)
class LensPicture:
    """What the grid shows, for P points and C columns.

    title, notes: above the grid. columns: position, token and whether a step drew it. texts: of the likeliest token
    [P][C]. probabilities: of that token, [P, C]. ranks: of the target, from 0, [P, C]; -1 for none; None without a
    target, which `ranked` names. decided: [C], index of the point from which the final prediction stays first. hints:
    [P][C], shown by SVG when the mouse is over the cell.
    """

    title: str
    notes: Sequence[str]
    points: Sequence[str]
    columns: Sequence[tuple[int, str, bool]]
    texts: Sequence[Sequence[str]]
    probabilities: np.ndarray
    ranks: np.ndarray | None
    ranked: str
    decided: np.ndarray
    hints: Sequence[Sequence[str]]


def lens_picture(
    title: str,
    notes: Sequence[str],
    points: Sequence[str],
    cells: Cells,
    columns: Sequence[tuple[int, str, bool]],
    text: Callable[[int], str],
    ranked: str,
) -> LensPicture:
    """The picture of `cells`. columns, ranked: see `LensPicture`; text: of a token."""
    tokens, probabilities = cells.top_tokens, cells.top_probabilities
    names = {token: text(token) for token in np.unique(tokens).tolist() if token >= 0}

    def hint(point: int, column: int) -> str:
        position, before, _ = columns[column]
        lines = [f"{points[point]} after token {position}, {shown_token(before)}"]
        for token, share in zip(tokens[point, column].tolist(), probabilities[point, column], strict=True):
            if token >= 0:
                lines.append(f"{shown_token(names[token])} {100 * share:.1f}%")
        return "\n".join([*lines, f"entropy {cells.entropy[point, column]:.3f} nats"])

    rows, across = range(len(points)), range(len(columns))
    return LensPicture(
        title=title,
        notes=notes,
        points=points,
        columns=columns,
        texts=[[names.get(token, "-") for token in row] for row in tokens[:, :, 0].tolist()],
        probabilities=probabilities[:, :, 0],
        ranks=cells.target_rank,
        ranked=ranked,
        decided=cells.decided,
        hints=[[hint(point, column) for column in across] for point in rows],
    )


def write_lens_picture(path: Path, picture: LensPicture) -> None:
    """Write the picture; the name ends in one of `SUFFIXES`. Raises `OutputError`."""
    drawing = draw(picture)
    if path.suffix.lower() == ".svg":
        write_output(path, svg(drawing))
        return
    with output_file(path) as file:
        paint(drawing, file, {"Description": "\n".join(picture.notes)})


def draw(picture: LensPicture) -> Drawing:
    """The picture as a drawing."""
    count, labels = len(picture.columns), _label_width(picture.points)
    across = min(count, _MOST)
    width = max(2 * _MARGIN + labels + across * _WIDE, _LEAST_WIDTH)
    high = _HEAD + len(picture.points) * _HIGH
    bands = -(-count // _MOST)
    drawing = Drawing(width, 0, _WHITE, picture.title)
    y = _heading(drawing, picture)
    for band in range(bands):
        _band(drawing, picture, range(band * _MOST, min((band + 1) * _MOST, count)), y, labels)
        y += high + _BETWEEN
    drawing.height = int(y - _BETWEEN + _MARGIN)
    return drawing


def shown_token(text: str) -> str:
    """A token's text as pictures show it: spaces are dots, and line breaks are escaped."""
    return one_line(text).replace(" ", "\u00b7")


def color_of(probability: float) -> Rgb:
    """The color of a cell. What is no probability, such as NaN, is white."""
    if not 0 <= probability <= 1.001:
        return _WHITE
    at = min(probability, 1.0) * (len(_RAMP) - 1)
    low = min(int(at), len(_RAMP) - 2)
    red, green, blue = (a + (b - a) * (at - low) for a, b in zip(_RAMP[low], _RAMP[low + 1], strict=True))
    return (red, green, blue)


def ink_on(color: Rgb) -> Rgb:
    """The color of text on a cell: white or black, whichever has more contrast."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _WHITE if light < 0.18 else (0.0, 0.0, 0.0)


def _label_width(points: Sequence[str]) -> int:
    return round(max(map(len, [*points, "after token"])) * ADVANCE * _SIZE) + 14


def _heading(drawing: Drawing, picture: LensPicture) -> float:
    """Title, notes and legend; returns where the grid begins."""
    space = drawing.width - 2 * _MARGIN
    y = _MARGIN + _TITLE
    drawing.words.append(
        Words(_MARGIN, y, cut(picture.title, int(space / (ADVANCE * _TITLE))), _TITLE, _INK, bold=True)
    )
    for note in picture.notes:
        y += 17
        drawing.words.append(Words(_MARGIN, y, cut(one_line(note), int(space / (ADVANCE * _SIZE))), _SIZE, _DIM))
    return _legend(drawing, picture, y + 16)


def _legend(drawing: Drawing, picture: LensPicture, y: float) -> float:
    """What colors, lines and numbers mean; returns where the grid begins."""
    bar, high = 200, 12
    for step in range(bar):
        drawing.boxes.append(Box(_MARGIN + step, y, 1, high, color_of(step / (bar - 1))))
    for tick in range(0, 101, 25):
        x = _MARGIN + bar * tick / 100
        drawing.boxes.append(Box(min(x, _MARGIN + bar - 1), y + high, 1, 4, _DIM))
        end = "start" if tick == 0 else "middle"
        drawing.words.append(Words(x, y + high + 15, f"{tick}%", _SMALL, _DIM, end))
    side = _MARGIN + bar + 40
    lines = ["cell: the likeliest next token and its probability; \u00b7 is a space"]
    if picture.ranks is not None:
        lines.append(f"#n: rank of {picture.ranked}, from 0")
    if any(made for _, _, made in picture.columns):
        lines.append("tokens in purple were generated")
    for line in lines:
        drawing.words.append(Words(side, y + 10, line, _SMALL + 1, _DIM))
        y += 16
    drawing.boxes.append(Box(side, y + 4, 26, _LINE, _ACCENT))
    drawing.words.append(Words(side + 34, y + 10, "below: the final prediction stays first", _SMALL + 1, _DIM))
    return y + 34


def _band(drawing: Drawing, picture: LensPicture, columns: range, y: float, labels: int) -> None:
    left, top = _MARGIN + labels, y + _HEAD
    drawing.words.append(Words(left - 8, top - 12, "after token", _SIZE, _DIM, "end"))
    for row, point in enumerate(picture.points):
        drawing.words.append(Words(left - 8, top + row * _HIGH + 21, point, _SIZE, _INK, "end"))
        drawing.boxes.append(Box(left - 5, top + row * _HIGH + _HIGH / 2, 4, 1, _DIM))
    fits = int((_WIDE - 6) / (ADVANCE * _SIZE))
    for index, column in enumerate(columns):
        x = left + index * _WIDE
        position, token, made = picture.columns[column]
        drawing.words.append(Words(x + _WIDE / 2, top - 27, str(position), _SMALL, _DIM, "middle"))
        drawing.boxes.append(Box(x + _WIDE / 2, top - 6, 1, 5, _DIM))
        color = _MADE if made else _INK
        drawing.words.append(
            Words(x + _WIDE / 2, top - 12, cut(shown_token(token), fits), _SIZE, color, "middle", bold=True)
        )
        for row in range(len(picture.points)):
            _cell(drawing, picture, row, column, x, top + row * _HIGH, fits)
        decided = int(picture.decided[column])
        drawing.boxes.append(Box(x, top + decided * _HIGH - _LINE + 1, _WIDE - _GAP, _LINE, _ACCENT))


def _cell(drawing: Drawing, picture: LensPicture, row: int, column: int, x: float, y: float, fits: int) -> None:
    probability = float(picture.probabilities[row, column])
    color = color_of(probability)
    ink = ink_on(color)
    hint = picture.hints[row][column]
    drawing.boxes.append(Box(x, y, _WIDE - _GAP, _HIGH - _GAP, color if color != _WHITE else _PALE, hint))
    middle = x + (_WIDE - _GAP) / 2
    drawing.words.append(
        Words(middle, y + 15, cut(shown_token(picture.texts[row][column]), fits), _SIZE, ink, "middle")
    )
    figures = f"{100 * probability:.0f}%" if 0 <= probability <= 1.001 else "-"
    if picture.ranks is not None and picture.ranks[row, column] >= 0:
        figures += f" #{picture.ranks[row, column]}"
    drawing.words.append(Words(middle, y + 28, figures, _SMALL, ink, "middle"))
