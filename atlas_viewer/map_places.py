"""Places on the map by name: `h.3.mlp.c_fc.weight[12, 700]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compute.errors import UsageError
from compute.llmc import one_line
from compute.map_layout import MapLayout

_PLACE = re.compile(r"\s*(?P<name>[\w.]+)\s*(?:\[(?P<index>[\d\s,]*)\])?\s*")


@dataclass(frozen=True)
class Target:
    """A tensor, or one of its values: `index` has a number for each of its dimensions, or is None."""

    name: str
    index: tuple[int, ...] | None = None


def parse_place(text: str, shapes: Mapping[str, tuple[int, ...]]) -> Target:
    """The tensor or value that `text` names; shapes: of all tensors by name. Raises `UsageError`."""
    shown = one_line(text)
    match = _PLACE.fullmatch(text)
    if match is None:
        raise UsageError(f"{shown}: is no place; write a tensor's name and an index, such as wte[12, 3]")
    name = match["name"]
    if name not in shapes:
        close = [known for known in shapes if name in known][:3]
        hint = f"; there are {', '.join(close)}" if close else ""
        raise UsageError(f"{shown}: no tensor has this name{hint}")
    if match["index"] is None:
        return Target(name)
    shape = shapes[name]
    size = " x ".join(map(str, shape))
    try:
        index = tuple(int(part) for part in match["index"].split(","))
    except ValueError:
        raise UsageError(f"{shown}: is no index; {name} is {size}") from None
    if len(index) != len(shape) or any(part >= most for part, most in zip(index, shape, strict=True)):
        raise UsageError(f"{shown}: there is no such value; {name} is {size}")
    return Target(name, index)


def row_and_column(target: Target, window: int) -> tuple[int, int]:
    """Where the target's value, or its first one, is in the tensor's placement on a map with `window` rows."""
    index = target.index or (0, 0)
    if len(index) == 1:
        return 0, index[0]
    if len(index) == 3:
        return index[0] * window + index[1], index[2]
    return index[0], index[1]


def box_of(target: Target, layout: MapLayout) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the target, in cells. KeyError when the map has no such tensor."""
    if target.index is None:
        place = layout.placements[target.name]
        return place.x, place.y, place.width, place.height
    return (*layout.place_of(target.name, *row_and_column(target, layout.window)), 1, 1)
