"""Where the pyramid of Map keeps each tensor's tiles: packed side by side, without the empty space of the plane."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ASPECT = 1.5  # width to height of what is packed, so that the pyramid's texture, half as high again, is a square
_SLACK = 1.05  # the area in which rectangles usually fit, relative to their own


@dataclass(frozen=True)
class Packing:
    """Rectangles of tiles, by the name of their tensor, that do not overlap; all lengths are in tiles."""

    corners: Mapping[str, tuple[int, int]]  # (x, y) of the top left tile
    width: int
    height: int


def packed(sizes: Mapping[str, tuple[int, int]]) -> Packing:
    """Pack rectangles, each (width, height), closely: the highest first, each as far up as it fits."""
    area = sum(wide * high for wide, high in sizes.values())
    widest, highest = (max(size[axis] for size in sizes.values()) for axis in (0, 1))
    # A rectangle that is higher than the wanted shape determines the height of all.
    width = max(widest, math.ceil(min(math.sqrt(area * ASPECT), _SLACK * area / highest)))
    skyline = [(0, 0)]  # where each step of the lower edge of what is placed begins, and how far down it is
    corners = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name][1], -sizes[name][0])):
        wide, high = sizes[name]
        x, y = _highest(skyline, width, wide)
        skyline = _lowered(skyline, x, x + wide, y + high)
        corners[name] = (x, y)
    rights = [x + sizes[name][0] for name, (x, _) in corners.items()]
    return Packing(corners, max(rights), max(y for _, y in skyline))


def _highest(skyline: list[tuple[int, int]], width: int, wide: int) -> tuple[int, int]:
    """The corner (x, y) of the highest free position for a rectangle of this width, at the left of a step."""
    best = (-1, -1)
    for first, (x, y) in enumerate(skyline):
        if x + wide > width:
            break
        for start, depth in skyline[first + 1 :]:
            if start >= x + wide:
                break
            y = max(y, depth)
        if best[0] < 0 or y < best[1]:
            best = (x, y)
    return best


def _lowered(skyline: list[tuple[int, int]], left: int, right: int, depth: int) -> list[tuple[int, int]]:
    """The skyline after a rectangle from `left` to `right` whose lower edge is at `depth`."""
    under = [y for x, y in skyline if x <= right][-1]  # at the right end
    steps = [step for step in skyline if step[0] < left] + [(left, depth)]
    if not any(x == right for x, _ in skyline):
        steps.append((right, under))
    return steps + [step for step in skyline if step[0] >= right]
