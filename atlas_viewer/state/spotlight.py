"""What Map shows brightly while the rest is dimmed, and what is outlined: boxes on the plane. Plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

Box = tuple[float, float, float, float]  # x, y, width and height, in units of the plane

# Opacity of the cover by theme, with which what is dimmed seems to keep about a third of its contrast to the ground:
# colors are blended as light, in which a third of what is seen is a tenth.
DIM = {"dark": 0.9, "light": 0.6}
_FAR = 1e6  # units: beyond the edges of every picture


def _none() -> np.ndarray:
    return np.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class Spotlight:
    """float64 [n, 4] boxes: dimmed ones, which do not overlap, outlined ones, and rows that stay visible from afar.

    `key` changes when they do.
    """

    key: object = None
    dimmed: np.ndarray = field(default_factory=_none)
    outlined: np.ndarray = field(default_factory=_none)
    rows: np.ndarray = field(default_factory=_none)
    frames: bool = False  # the dimmed boxes are tensors, whose frames are dimmed, too


NOTHING = Spotlight()


def around(box: Box) -> list[Box]:
    """The plane without `box`."""
    x, y, width, height = box
    right, below = x + width, y + height
    return [
        (-_FAR, -_FAR, 3 * _FAR, y + _FAR),
        (-_FAR, below, 3 * _FAR, _FAR),
        (-_FAR, y, x + _FAR, height),
        (right, y, _FAR, height),
    ]


def spotlight(
    dimmed: Iterable[Box], outlined: Iterable[Box], rows: Iterable[Box] = (), *, frames: bool = False
) -> Spotlight:
    """A spotlight of boxes, see `Spotlight`."""
    key = tuple(dimmed), tuple(outlined), tuple(rows)
    if not any(key):
        return NOTHING
    arrays = [np.array(boxes, np.float64).reshape(-1, 4) for boxes in key]
    return Spotlight(key, arrays[0], arrays[1], arrays[2], frames)
