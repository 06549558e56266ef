"""Pictures of tables of numbers: a cell per number, colored by it, with names of rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atlas_viewer.media.png import PngWriter
from atlas_viewer.scene.glyphs import letter, put
from compute.io.output_files import output_file

_SIZE = 14  # of letters, in pixels
_LINE = 20
_GROUND = (18, 21, 27)
_INK = (214, 218, 226)
_MISSING = (60, 60, 66)
_MARGIN = 16
_LONGEST = 18  # characters of a column's name
_LOW, _MIDDLE, _HIGH = (64, 132, 255), (34, 37, 44), (255, 150, 40)  # blue and orange differ for every eye


@dataclass(frozen=True)
class HeatMap:
    """A table to draw. values: [rows, columns]; not finite: no value.

    title: lines above. limit: magnitude with the strongest color; by default the largest. text: digits after the point
    that are written into cells; None for no numbers. root: colors show the square root, so that small values show.
    """

    title: Sequence[str]
    rows: Sequence[str]
    columns: Sequence[str]
    values: np.ndarray
    limit: float | None = None
    text: int | None = 2
    root: bool = False

    def color(self, share: float) -> tuple[int, int, int]:
        """The color of a value at `share` of the limit, -1 to 1."""
        return color_of(math.copysign(math.sqrt(abs(share)), share) if self.root else share)


def write_heat_map(path: Path, picture: HeatMap, metadata: Mapping[str, str]) -> None:
    """Write the picture to a PNG file. Raises `OutputError`."""
    pixels = heat_map(picture)
    with output_file(path) as file, PngWriter(file, pixels.shape[1], pixels.shape[0], metadata) as writer:
        writer.write(pixels)


def heat_map(picture: HeatMap) -> np.ndarray:
    """The picture, uint8 [height, width, 3]."""
    count, wide = picture.values.shape
    cell_width = 46 if picture.text is not None else 24
    cell_height = 24 if picture.text is not None else _LINE
    columns = [_cut(name) for name in picture.columns]
    left = _MARGIN + max((_width(name) for name in picture.rows), default=0) + 8
    top = _MARGIN + _LINE * len(picture.title) + max(map(_width, columns), default=0) + 12
    right = max(left + wide * cell_width, *(_MARGIN + _width(line) for line in picture.title)) + _MARGIN
    image = np.empty((top + count * cell_height + 3 * _LINE + _MARGIN, right, 3), np.uint8)
    image[:] = _GROUND
    for number, line in enumerate(picture.title):
        _write(image, line, _MARGIN, _MARGIN + number * _LINE)
    for number, name in enumerate(columns):
        _write_up(image, name, left + number * cell_width + (cell_width - _SIZE) // 2, top - 6)
    limit = picture.limit or _largest(picture.values)
    for row, name in enumerate(picture.rows):
        y = top + row * cell_height
        _write(image, name, left - 8 - _width(name), y + (cell_height - _SIZE) // 2)
        for column in range(wide):
            _cell(
                image, picture, (row, column), (left + column * cell_width, y, cell_width - 1, cell_height - 1), limit
            )
    _legend(image, left, top + count * cell_height + _LINE // 2, picture, limit)
    return image


def _cell(
    image: np.ndarray, picture: HeatMap, at: tuple[int, int], box: tuple[int, int, int, int], limit: float
) -> None:
    value, (x, y, wide, high) = float(picture.values[at]), box
    color = picture.color(value / limit) if math.isfinite(value) else _MISSING
    image[y : y + high, x : x + wide] = color
    if picture.text is not None:
        text = _number(value, picture.text)
        dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 120
        _write(image, text, x + (wide - _width(text)) // 2, y + (high - _SIZE) // 2, (0, 0, 0) if dark else _INK)


def color_of(share: float) -> tuple[int, int, int]:
    """The color of a value at `share`, -1 to 1, of the limit: blue, dark, orange."""
    end, part = _HIGH if share >= 0 else _LOW, min(abs(share), 1.0)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_MIDDLE, end, strict=True))
    return red, green, blue


def _legend(image: np.ndarray, x: int, y: int, picture: HeatMap, limit: float) -> None:
    """A bar of all colors with its ends."""
    wide, first = 200, -1.0 if (picture.values < 0).any() else 0.0
    ends = (f"{first * limit:.3g}", f"{limit:.3g}")
    x += _width(ends[0]) + 6
    for offset in range(min(wide, image.shape[1] - x)):
        share = first + (1 - first) * offset / (wide - 1)
        image[y : y + 12, x + offset] = picture.color(share)
    _write(image, ends[0], x - 6 - _width(ends[0]), y - 1)
    _write(image, ends[1], x + wide + 6, y - 1)


def _largest(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}" if math.isfinite(value) else "-"  # without minus zero


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "\u2026"


def _width(text: str) -> int:
    return sum(letter(character, _SIZE)[3] for character in text)


def _cover(text: str) -> np.ndarray:
    """The letters of a line, uint8 [rows, columns]."""
    cover, x = np.zeros((_SIZE + 6, _width(text) + 4), np.uint8), 0
    for character in text:
        picture, left, up, advance = letter(character, _SIZE)
        put(cover, picture, x + left, round(0.8 * _SIZE) - up + 2)
        x += advance
    return cover


def _write(image: np.ndarray, text: str, x: int, y: int, ink: tuple[int, int, int] = _INK) -> None:
    _blend(image, _cover(text), x, y - 2, ink)


def _write_up(image: np.ndarray, text: str, x: int, bottom: int) -> None:
    """A line that runs upwards and begins at `bottom`."""
    cover = np.rot90(_cover(text))
    _blend(image, cover, x, bottom - cover.shape[0], _INK)


def _blend(image: np.ndarray, cover: np.ndarray, x: int, y: int, ink: tuple[int, int, int]) -> None:
    x, y = max(x, 0), max(y, 0)
    part = image[y : y + cover.shape[0], x : x + cover.shape[1]]
    share = cover[: part.shape[0], : part.shape[1], None].astype(np.float32) / 255
    part[:] = (part + (np.asarray(ink, np.float32) - part) * share).astype(np.uint8)
