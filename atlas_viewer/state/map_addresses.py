"""Addresses on Map: from a `TensorIndex` to cells and back, and to the weights that produced its value."""

from __future__ import annotations

from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout

# By the last part of an activation's name: the weight whose row produces a column of it.
_MADE_BY = {
    "ln_1": "ln_1.weight", "attn.qkv": "attn.c_attn.weight", "attn.c_proj": "attn.c_proj.weight",
    "resid_mid": "attn.c_proj.weight", "ln_2": "ln_2.weight", "mlp.c_fc": "mlp.c_fc.weight",
    "mlp.gelu": "mlp.c_fc.weight", "mlp.c_proj": "mlp.c_proj.weight", "resid_post": "mlp.c_proj.weight",
    "ln_f": "ln_f.weight", "logits": "wte",
}  # fmt: skip


def row_and_column(target: TensorIndex, context: int) -> tuple[int, int]:
    """(row, column) of the target in its placement; (0, 0) for a whole tensor.

    context: rows per head of attention patterns.
    """
    index = target.index or (0, 0)
    if len(index) == 1:
        return 0, index[0]
    if len(index) == 3:
        return index[0] * context + index[1], index[2]
    return index[0], index[1]


def index_at(dimensions: int, row: int, column: int, context: int) -> tuple[int, ...]:
    """The index of the value at a row and column of the placement; the inverse of `row_and_column`."""
    if dimensions == 1:
        return (column,)
    return (*divmod(row, context), column) if dimensions == 3 else (row, column)


def box_of(target: TensorIndex, layout: MapLayout) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the target, in cells. Raises KeyError when Map has no such tensor."""
    if not target.index:
        placement = layout.placements[target.name]
        return placement.x, placement.y, placement.width, placement.height
    return (*layout.cell_of(target.name, *row_and_column(target, layout.context)), 1, 1)


def made_by(target: TensorIndex, registry: Registry) -> TensorIndex | None:
    """The first of the weights that produced an activation's value, or of the queries that produced a pattern's.

    None for other values. Raises KeyError when `target` has no index.
    """
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
    """(x, y, width, height), in cells, of rows `first` to `end` (exclusive) of every activation."""
    boxes = []
    for name, placement in layout.placements.items():
        if registry[name].rows is None and first < end:
            for band in range(placement.bands):
                x, y, width, _ = placement.band_box(band)
                boxes.append((x, y + first, width, end - first))
    return boxes


def _split(name: str) -> tuple[str, str]:
    """("h.3", "attn.qkv"), or ("", name) outside the blocks."""
    if not name.startswith("h."):
        return "", name
    h, layer, short = name.split(".", 2)
    return f"{h}.{layer}", short
