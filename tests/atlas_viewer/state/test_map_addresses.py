"""Typed places: what is understood, and what is said of the rest."""

from __future__ import annotations

import pytest

from atlas_viewer.state.map_addresses import Target, box_of, made_by, parse_place, row_and_column, row_boxes
from compute.errors import UsageError
from compute.views.map_layout import map_layout

from helpers.map_registry import STORIES, registry

SHAPES = {"wte": (50304, 192), "h.3.mlp.c_fc.weight": (768, 192), "h.3.attn.pattern": (6, 9, 9), "logits": (50304,)}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("wte", Target("wte")),
        ("  h.3.mlp.c_fc.weight[12, 100] ", Target("h.3.mlp.c_fc.weight", (12, 100))),
        ("h.3.attn.pattern[5,8,0]", Target("h.3.attn.pattern", (5, 8, 0))),
        ("logits [ 50303 ]", Target("logits", (50303,))),
    ],
)
def test_places(text: str, target: Target) -> None:
    assert parse_place(text, SHAPES) == target


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write a tensor's name and an index"),
        ("wte[3", "write a tensor's name"),
        ("wte[-1, 0]", "write a tensor's name"),
        ("mlp.c_fc.weight", "there are h.3.mlp.c_fc.weight"),
        ("nothing", "no tensor has this name"),
        ("wte[]", "wte is 50304 x 192"),
        ("wte[1,]", "wte is 50304 x 192"),
        ("wte[1]", "wte is 50304 x 192"),
        ("wte[1, 192]", "there is no such value"),
        ("h.3.attn.pattern[6, 0, 0]", "6 x 9 x 9"),
        ("wte\n[1, 2]\x1b", "write a tensor's name"),
    ],
)
def test_what_is_no_place_is_told_in_a_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_place(text, SHAPES)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_where_a_place_is() -> None:
    assert row_and_column(Target("logits", (70,)), 64) == (0, 70)
    assert row_and_column(Target("wte", (5, 6)), 64) == (5, 6)
    assert row_and_column(Target("h.3.attn.pattern", (2, 5, 3)), 64) == (2 * 64 + 5, 3)
    layout = map_layout(registry(STORIES, 64), 64)
    x, y, width, height = box_of(Target("h.3.attn.pattern", (2, 5, 3)), layout)
    assert layout.cell_at(x, y) == ("h.3.attn.pattern", 133, 3)
    assert (width, height) == (1, 1)
    place = layout.placements["wte"]
    assert box_of(Target("wte"), layout) == (place.x, place.y, place.width, place.height)


@pytest.mark.parametrize(
    ("name", "index", "weight", "there"),
    [
        ("h.2.attn.qkv", (5, 300), "h.2.attn.c_attn.weight", (300, 0)),
        ("h.0.mlp.gelu", (5, 700), "h.0.mlp.c_fc.weight", (700, 0)),
        ("h.7.resid_post", (0, 3), "h.7.mlp.c_proj.weight", (3, 0)),
        ("h.1.ln_2", (4, 9), "h.1.ln_2.weight", (9,)),
        ("ln_f", (4, 9), "ln_f.weight", (9,)),
        ("logits", (1234,), "wte", (1234, 0)),
        ("h.2.attn.pattern", (3, 8, 2), "h.2.attn.qkv", (8, 96)),
    ],
)
def test_what_made_a_value(name: str, index: tuple[int, ...], weight: str, there: tuple[int, ...]) -> None:
    assert made_by(Target(name, index), registry(STORIES, 9)) == Target(weight, there)


def test_weights_are_made_by_nothing() -> None:
    assert made_by(Target("h.2.attn.c_attn.weight", (5, 7)), registry(STORIES, 9)) is None
    assert made_by(Target("embed.sum", (5, 7)), registry(STORIES, 9)) is None


def test_rows_of_the_last_pass() -> None:
    shapes = registry(STORIES, 64)
    layout = map_layout(shapes, 64)
    boxes = row_boxes(shapes, layout, 10, 12)
    assert (*layout.place_of("h.3.attn.qkv", 10, 192), 192, 2) in boxes
    assert (*layout.place_of("h.3.attn.pattern", 74, 0), 64, 2) in boxes
    for x, y, width, height in boxes:
        found = layout.cell_at(x, y)
        assert found is not None
        assert found[1] % 64 == 10
        assert height == 2
        assert layout.cell_at(x + width - 1, y + 1) is not None
    assert row_boxes(shapes, layout, 5, 5) == []
