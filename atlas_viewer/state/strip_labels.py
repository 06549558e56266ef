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

_SMALLEST = 0.95  # of the usual height of letters: the smallest that names have
_SPACE = 2.0  # pixels around names
_GROUPS = {Role.WEIGHT: "weights", Role.ACTIVATION: "activations"}


@dataclass(frozen=True)
class StripLabel:
    """Text with its top left corner at (x, y), in pixels from the corner of the picture.

    of: the tensor that it names; None for a band, and for several tensors of a role. size: the height of its letters,
    in pixels.
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
    unnamed: list[_Seen] = []  # boxes beside each other whose names do not fit
    for box in sheet.boxes:
        left, right = max((box.x - view.x) * pixels, 0.0), min((box.x + box.columns - view.x) * pixels, width)
        top, bottom = (box.y - view.y) * pixels, (box.y + ROWS - view.y) * pixels
        if left >= right or bottom <= 0 or top - size - _SPACE >= height:
            continue
        y, high = top - size - _SPACE, size
        if y < 0:
            if header not in (None, box.y):
                continue
            header, y, high = box.y, -letters.height - _SPACE, letters.height
        elif size < _SMALLEST * letters.height or y + size > height:
            continue
        seen = _Seen(box, left, right, y, high)
        label = _named(seen, letters)
        if unnamed and (label is not None or not unnamed[-1].beside(seen)):
            yield from _group(unnamed, letters)
            unnamed = []
        if label is None:
            unnamed.append(seen)
        else:
            yield label
    yield from _group(unnamed, letters)


@dataclass(frozen=True)
class _Seen:
    """A visible box, its sides in pixels, and where its name would be."""

    box: Box
    left: float
    right: float
    y: float
    size: float

    @property
    def role(self) -> Role:
        """The role of the tensor."""
        return role_of_kind(self.box.span.kind)

    def beside(self, other: _Seen) -> bool:
        """True when the other box is in the same line and has the same role."""
        return self.box.y == other.box.y and self.role is other.role


def _group(boxes: list[_Seen], letters: Letters) -> Iterator[StripLabel]:
    """What boxes without names have in common: "weights"."""
    if len(boxes) < 2:
        return
    first, text = boxes[0], _GROUPS.get(boxes[0].role, "")
    wide = len(text) * letters.width(first.size)
    if text and wide + _SPACE <= boxes[-1].right - first.left:
        yield StripLabel(text, first.left, first.y, first.size, wide, None, first.role)


def _named(seen: _Seen, letters: Letters) -> StripLabel | None:
    """The full name if it fits, or else shorter ones, which the color of the role and the band make clear."""
    name, each = seen.box.span.name, letters.width(seen.size)
    short = split_name(name)[1]
    last = short.removeprefix("attn.").removeprefix("mlp.").removeprefix("embed.")
    for text in (name, short, last, last.removesuffix(".weight").removesuffix(".bias")):
        wide = len(text) * each
        if wide + _SPACE <= seen.right - seen.left:
            return StripLabel(text, seen.left, seen.y, seen.size, wide, name, seen.role)
    return None
