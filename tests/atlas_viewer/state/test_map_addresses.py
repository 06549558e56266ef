"""The cells of values on Map, and the weights that produced the values."""

from __future__ import annotations

import pytest

from atlas_viewer.state.map_addresses import (
    box_of,
    index_at,
    made_by,
    range_boxes,
    row_and_column,
    row_boxes,
    source_range,
)
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import map_layout

from helpers.make_models import TINY
from helpers.map_registry import STORIES, registry, registry_of
from helpers.parallel_model import parallel


def test_cells_of_indices() -> None:
    for target, cell in (
        (TensorIndex("logits", (70,)), (0, 70)),
        (TensorIndex("wte", (5, 6)), (5, 6)),
        (TensorIndex("h.3.attn.pattern", (2, 5, 3)), (2 * 64 + 5, 3)),
    ):
        assert row_and_column(target, 64) == cell
        assert index_at(len(target.index), *cell, 64) == target.index
    assert row_and_column(TensorIndex("wte"), 64) == (0, 0)
    layout = map_layout(registry(STORIES, 64), 64)
    x, y, width, height = box_of(TensorIndex("h.3.attn.pattern", (2, 5, 3)), layout)
    assert layout.cell_at(x, y) == ("h.3.attn.pattern", 133, 3)
    magnified = layout.placements["h.3.attn.pattern"]
    assert (width, height) == (magnified.cell_width, magnified.cell_height)
    placement = layout.placements["wte"]
    assert box_of(TensorIndex("wte"), layout) == (placement.x, placement.y, placement.width, placement.height)


@pytest.mark.parametrize(
    ("name", "index", "weight", "there"),
    [
        ("h.2.attn.qkv", (5, 300), "h.2.attn.c_attn.weight", (300, 0)),
        ("h.0.mlp.gelu", (5, 700), "h.0.mlp.c_fc.weight", (700, 0)),
        ("h.7.resid_post", (0, 3), "h.7.mlp.c_proj.weight", (3, 0)),
        ("h.0.resid_mid", (0, 3), "h.0.attn.c_proj.weight", (3, 0)),
        ("h.1.ln_2", (4, 9), "h.1.ln_2.weight", (9,)),
        ("ln_f", (4, 9), "ln_f.weight", (9,)),
        ("logits", (1234,), "wte", (1234, 0)),
        ("h.2.attn.pattern", (3, 8, 2), "h.2.attn.qkv", (8, 96)),
    ],
)
def test_weights_that_produced_a_value(name: str, index: tuple[int, ...], weight: str, there: tuple[int, ...]) -> None:
    assert made_by(TensorIndex(name, index), registry(STORIES, 9)) == TensorIndex(weight, there)


@pytest.mark.parametrize(
    ("name", "index", "sources"),
    [
        ("h.0.mlp.gelu", (5, 700), TensorIndex("h.0.mlp.c_fc.weight", (700, 0), 192)),
        ("h.7.resid_post", (0, 3), TensorIndex("h.7.mlp.c_proj.weight", (3, 0), 768)),
        ("h.1.ln_2", (4, 9), TensorIndex("h.1.ln_2.weight", (9,))),
        ("logits", (1234,), TensorIndex("wte", (1234, 0), 192)),
        ("h.2.attn.pattern", (3, 8, 2), TensorIndex("h.2.attn.qkv", (8, 96), 32)),
        ("embed.sum", (5, 7), None),
    ],
)
def test_all_weights_that_produced_a_value(name: str, index: tuple[int, ...], sources: TensorIndex | None) -> None:
    known = registry(STORIES, 64)
    assert source_range(TensorIndex(name, index), known) == sources
    if sources is None:
        return
    layout = map_layout(known, 64)
    row, column = row_and_column(sources, 64)
    covered = []
    for x, y, width, height in range_boxes(sources, layout):
        placement = layout.placements[sources.name]
        assert height == placement.cell_height
        for cell in range(0, width, placement.cell_width):
            found, *at = layout.cell_at(x + cell, y)  # type: ignore[misc]
            assert (found, at[0]) == (sources.name, row)
            covered.append(at[1])
    assert covered == list(range(column, column + sources.count))


@pytest.mark.parametrize(
    "name", ["h.2.attn.c_attn.weight", "embed.sum", "embed.tokens", "h.2.resid_pre", "h.2.attn.out"]
)
def test_values_without_makers(name: str) -> None:
    assert made_by(TensorIndex(name, (5, 7)), registry(STORIES, 9)) is None


def test_the_first_of_several_weights_that_made_a_value() -> None:
    known = registry_of(parallel(TINY), 5)
    made = {name: made_by(TensorIndex(name, (2, 7)), known) for name in ("h.1.resid_post", "h.1.mlp.relu")}
    assert made["h.1.resid_post"] == TensorIndex("h.1.attn.c_proj.weight", (7, 0))
    assert made["h.1.mlp.relu"] == TensorIndex("h.1.mlp.c_fc.weight", (7, 0))
    assert made_by(TensorIndex("logits", (7,)), known) == TensorIndex("lm_head.weight", (7, 0))


def test_boxes_of_the_rows_of_a_pass() -> None:
    shapes = registry(STORIES, 64)
    layout = map_layout(shapes, 64)
    boxes = row_boxes(shapes, layout, 10, 12)
    pattern = layout.placements["h.3.attn.pattern"]
    assert (*layout.cell_of("h.3.attn.qkv", 10, 192), 192, 2) in boxes
    assert (*layout.cell_of(pattern.name, 74, 0), 64 * pattern.cell_width, 2 * pattern.cell_height) in boxes
    for x, y, width, height in boxes:
        found = layout.cell_at(x, y)
        assert found is not None
        assert found[1] % 64 == 10
        assert height == 2 * layout.placements[found[0]].cell_height
        assert layout.cell_at(x + width - 1, y + height - 1) is not None
    assert row_boxes(shapes, layout, 5, 5) == []
