"""Labels of the strip: names of bands beside it, and names of tensors between its boxes and above it.

No label covers cells, and none overlaps another. Labels stay in sight while a part of what they name is visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compute.models.names import split_name
from compute.views.strip_sheet import NAMES, ROWS, Box, StripSheet

from .camera import View
from .roles import Role, role_of_kind

_SMALLEST = 0.72  # of the usual height of letters: the smallest that names have
_SPACE = 2.0  # pixels around names


@dataclass(frozen=True)
class StripLabel:
    """Text with its top left corner at (x, y), in pixels from the corner of the picture.

    of: the tensor that it names; None for a band. size: the height of its letters in pixels, which are `letter` times
    as wide.
    """

    text: str
    x: float
    y: float
    size: float
    width: float
    of: str | None = None
    role: Role | None = None


@dataclass(frozen=True)
class Letters:
    """The usual height of letters in pixels, and the width of letters of a height; it need not be proportional."""

    height: float
    width: Callable[[float], float]


def strip_labels(
    sheet: StripSheet, view: View, width: int, height: int, letters: Letters, margin: float
) -> list[StripLabel]:
    """The labels of `view` at width x height pixels, with `margin` pixels to the left for the names of bands.

    Above the picture is a line for names whose own space is out of sight: they have a negative y.
    """
    return [
        *_bands(sheet, view, height, letters, margin),
        *_tensors(sheet, view, width, height, letters),
    ]


def _bands(sheet: StripSheet, view: View, height: int, letters: Letters, margin: float) -> Iterator[StripLabel]:
    pixels = height / view.height
    below = 0.0
    for band in sheet.bands:
        top, bottom = (band.y - view.y) * pixels, (band.y + band.height - view.y) * pixels
        y = max(top, below, 0.0)
        if y + letters.height > min(bottom, height):
            continue
        text = band.title[: int((margin - 3 * _SPACE) / letters.width(letters.height))]
        if text:
            wide = len(text) * letters.width(letters.height)
            yield StripLabel(text, -margin + _SPACE, y, letters.height, wide)
            below = y + letters.height


def _tensors(sheet: StripSheet, view: View, width: int, height: int, letters: Letters) -> Iterator[StripLabel]:
    pixels = height / view.height
    size = min(letters.height, NAMES * pixels - 2 * _SPACE)
    header: int | None = None  # the line of boxes that is named above the picture
    for box in sheet.boxes:
        left, right = max((box.x - view.x) * pixels, 0.0), min((box.x + box.columns - view.x) * pixels, width)
        top, bottom = (box.y - view.y) * pixels, (box.y + ROWS - view.y) * pixels
        if left >= right or bottom <= 0 or top - size - _SPACE >= height:
            continue
        y = top - size - _SPACE
        if y >= 0:
            if size >= _SMALLEST * letters.height and y + size <= height:
                yield from _named(box, left, right, y, size, letters)
        elif header in (None, box.y):
            header = box.y
            yield from _named(box, left, right, -letters.height - _SPACE, letters.height, letters)


def _named(box: Box, left: float, right: float, y: float, size: float, letters: Letters) -> Iterator[StripLabel]:
    """The full name if it fits, or else shorter ones, which the color of the role and the band make clear."""
    name, each = box.span.name, letters.width(size)
    short = split_name(name)[1]
    last = short.removeprefix("attn.").removeprefix("mlp.").removeprefix("embed.")
    for text in (name, short, last, last.removesuffix(".weight").removesuffix(".bias")):
        wide = len(text) * each
        if wide + _SPACE <= right - left:
            yield StripLabel(text, left, y, size, wide, name, role_of_kind(box.span.kind))
            return
