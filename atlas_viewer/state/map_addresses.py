"""Places on the map by name: `h.3.mlp.c_fc.weight[12, 700]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compute.errors import UsageError
from compute.io.escape import one_line
from compute.models.registry import Registry
from compute.views.map_layout import MapLayout

_PLACE = re.compile(r"\s*(?P<name>[\w.]+)\s*(?:\[(?P<index>[\d\s,]*)\])?\s*")

# The weight whose row a column of an activation comes from, by the end of the names.
_MADE_BY = {
    "ln_1": "ln_1.weight", "attn.qkv": "attn.c_attn.weight", "attn.c_proj": "attn.c_proj.weight",
    "resid_mid": "attn.c_proj.weight", "ln_2": "ln_2.weight", "mlp.c_fc": "mlp.c_fc.weight",
    "mlp.gelu": "mlp.c_fc.weight", "mlp.c_proj": "mlp.c_proj.weight", "resid_post": "mlp.c_proj.weight",
    "ln_f": "ln_f.weight", "logits": "wte",
}  # fmt: skip


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


def row_and_column(target: Target, context: int) -> tuple[int, int]:
    """Where the target's value, or its first one, is in the tensor's placement on a map with `context` rows."""
    index = target.index or (0, 0)
    if len(index) == 1:
        return 0, index[0]
    if len(index) == 3:
        return index[0] * context + index[1], index[2]
    return index[0], index[1]


def box_of(target: Target, layout: MapLayout) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the target, in cells. KeyError when the map has no such tensor."""
    if target.index is None:
        place = layout.placements[target.name]
        return place.x, place.y, place.width, place.height
    return (*layout.place_of(target.name, *row_and_column(target, layout.context)), 1, 1)


def made_by(target: Target, registry: Registry) -> Target | None:
    """The first of the weights that made an activation's value, or of the queries that made a pattern's; None when
    nothing did. KeyError when `target` has no index."""
    if target.index is None:
        raise KeyError(target.name)
    block, short = _split(target.name)
    if short == "attn.pattern":
        head, query, _ = target.index
        return Target(f"{block}.attn.qkv", (query, head * registry.config.head_size))
    if short not in _MADE_BY:
        return None
    name = _MADE_BY[short]
    whole = f"{block}.{name}" if block else name
    column = target.index[-1]
    return Target(whole, (column,) if registry[whole].vector else (column, 0))


def row_boxes(registry: Registry, layout: MapLayout, first: int, end: int) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height), in cells, of rows `first` to `end` of every activation: what a pass has changed."""
    boxes = []
    for name, place in layout.placements.items():
        if registry[name].rows is None and first < end:
            for band in range(place.bands):
                x, y, width, _ = place.band_box(band)
                boxes.append((x, y + first, width, end - first))
    return boxes


def _split(name: str) -> tuple[str, str]:
    """("h.3", "attn.qkv"), or ("", name) outside of the blocks."""
    if not name.startswith("h."):
        return "", name
    h, layer, short = name.split(".", 2)
    return f"{h}.{layer}", short
