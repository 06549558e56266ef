"""Addresses on the map: from a `TensorIndex` to cells and back, and to what made its value."""

from __future__ import annotations

from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout

# The weight whose row a column of an activation comes from, by the end of the names.
_MADE_BY = {
    "ln_1": "ln_1.weight", "attn.qkv": "attn.c_attn.weight", "attn.c_proj": "attn.c_proj.weight",
    "resid_mid": "attn.c_proj.weight", "ln_2": "ln_2.weight", "mlp.c_fc": "mlp.c_fc.weight",
    "mlp.gelu": "mlp.c_fc.weight", "mlp.c_proj": "mlp.c_proj.weight", "resid_post": "mlp.c_proj.weight",
    "ln_f": "ln_f.weight", "logits": "wte",
}  # fmt: skip


def row_and_column(target: TensorIndex, context: int) -> tuple[int, int]:
    """Where the target's value, or its first one, is in the tensor's placement on a map with `context` rows."""
    index = target.index or (0, 0)
    if len(index) == 1:
        return 0, index[0]
    if len(index) == 3:
        return index[0] * context + index[1], index[2]
    return index[0], index[1]


def index_at(dimensions: int, row: int, column: int, context: int) -> tuple[int, ...]:
    """The index of the value in this row and column of the placement: the inverse of `row_and_column`."""
    if dimensions == 1:
        return (column,)
    return (*divmod(row, context), column) if dimensions == 3 else (row, column)


def box_of(target: TensorIndex, layout: MapLayout) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the target, in cells. KeyError when the map has no such tensor."""
    if not target.index:
        placement = layout.placements[target.name]
        return placement.x, placement.y, placement.width, placement.height
    return (*layout.place_of(target.name, *row_and_column(target, layout.context)), 1, 1)


def made_by(target: TensorIndex, registry: Registry) -> TensorIndex | None:
    """The first of the weights that made an activation's value, or of the queries that made a pattern's; None when
    nothing did. KeyError when `target` has no index."""
    if not target.index:
        raise KeyError(target.name)
    block, short = _split(target.name)
    if short == "attn.pattern":
        head, query, _ = target.index
        return TensorIndex(f"{block}.attn.qkv", (query, head * registry.config.head_size))
    if short not in _MADE_BY:
        return None
    name = _MADE_BY[short]
    whole = f"{block}.{name}" if block else name
    column = target.index[-1]
    return TensorIndex(whole, (column,) if registry[whole].vector else (column, 0))


def row_boxes(registry: Registry, layout: MapLayout, first: int, end: int) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height), in cells, of rows `first` to `end` of every activation: what a pass has changed."""
    boxes = []
    for name, placement in layout.placements.items():
        if registry[name].rows is None and first < end:
            for band in range(placement.bands):
                x, y, width, _ = placement.band_box(band)
                boxes.append((x, y + first, width, end - first))
    return boxes


def _split(name: str) -> tuple[str, str]:
    """("h.3", "attn.qkv"), or ("", name) outside of the blocks."""
    if not name.startswith("h."):
        return "", name
    h, layer, short = name.split(".", 2)
    return f"{h}.{layer}", short
