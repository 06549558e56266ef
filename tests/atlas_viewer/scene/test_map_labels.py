"""The labels of the map at each scale."""

from __future__ import annotations

import pytest

from atlas_viewer.state.map_labels import Label, Words, labels_for
from compute.views.map_layout import map_layout
from compute.views.map_view import MapView

from helpers.make_models import TINY
from helpers.map_registry import STORIES, registry, registry_of
from helpers.parallel_model import parallel

WIDE, HIGH = 1280, 720
WORDS = Words(lambda row: f"row {row}", lambda token: f"token {token}")
REGISTRY = registry(STORIES, 64)
REGISTRY.rows = 40
LAYOUT = map_layout(REGISTRY, 64)


def at(name: str, row: int, column: int, cell: float) -> list[Label]:
    """Labels with the value at pixel (300, 200) and cells `cell` pixels wide."""
    x, y = LAYOUT.cell_of(name, row, column)
    return labels_for(REGISTRY, LAYOUT, MapView(x - 300 / cell, y - 200 / cell, 1 / cell), WIDE, HIGH, WORDS)


def find(labels: list[Label], text: str) -> Label:
    return next(label for label in labels if label.text == text)


def test_at_small_scales_parts_of_the_model_are_named() -> None:
    scale = max(LAYOUT.width / WIDE, LAYOUT.height / HIGH)
    labels = labels_for(REGISTRY, LAYOUT, MapView(0, 0, scale), WIDE, HIGH, WORDS)
    texts = [label.text for label in labels]
    assert {"embedding", "head", *(f"h.{layer}" for layer in range(8))} <= set(texts)
    assert "wte" in texts
    assert not any(text.startswith(("row", "token")) for text in texts)
    for label in labels:
        assert 0 <= label.x < WIDE
        assert -2 < label.y < HIGH


def test_at_larger_scales_tensors_and_heads_are_named() -> None:
    labels = at("h.3.attn.qkv", 0, 0, 4)
    name = find(labels, "h.3.attn.qkv")
    assert name.x == pytest.approx(300)
    assert name.y + name.size < 200
    assert find(labels, "q 0").x == pytest.approx(300)
    assert find(labels, "q 1").x == pytest.approx(300 + 32 * 4)
    assert find(labels, "k 0").x > find(labels, "q 5").x
    assert {"head 0", "head 1"} <= {label.text for label in at("h.3.attn.pattern", 0, 0, 4)}


def test_rows_of_activations_have_their_tokens() -> None:
    labels = at("h.3.attn.qkv", 10, 0, 20)
    label = find(labels, "row 10")
    assert label.x + label.width < 300
    assert label.y + label.size / 2 == pytest.approx(200 + 10)
    assert "row 40" not in {label.text for label in at("h.3.attn.qkv", 39, 0, 20)}  # no token yet


def test_labels_stay_visible() -> None:
    labels = at("h.3.mlp.c_fc.weight", 100, 100, 60)
    assert find(labels, "100").plate
    rows = [label for label in labels if label.x == 2.0]
    assert {"98", "100", "105"} <= {label.text for label in rows}


def test_the_name_of_a_tensor_that_fills_the_view_is_at_the_edge() -> None:
    label = find(at("wte", 1000, 100, 30), "wte")
    assert label.plate
    assert label.y + label.size <= HIGH
    assert all(label.y > -20 for label in at("wte", 1000, 100, 30))


def test_columns_are_numbered() -> None:
    label = find(at("h.3.ln_1", 0, 50, 40), "50")
    assert label.x + label.width / 2 == pytest.approx(320)
    assert not any(label.text == "50" for label in at("h.3.ln_1", 0, 50, 20))


def test_patterns_have_tokens_on_both_sides() -> None:
    labels = at("h.3.attn.pattern", 64 + 3, 2, 50)
    texts = [label.text for label in labels]
    assert texts.count("row 3") >= 2
    above = [label for label in labels if label.text == "row 2" and label.y < 200 - 3 * 50]
    assert above


def test_vocabulary_along_wte_and_in_logits() -> None:
    assert find(at("wte", 1000, 0, 15), "token 1000").x < 300
    logit = find(at("logits", 0, 500, 60), "token 500")
    assert (logit.x, logit.y) == pytest.approx((303, 203))
    last = {label.text for label in at("logits", 0, 50256, 100)}
    assert "token 50256" in last
    assert "token 50257" not in last  # a padding row


def test_another_model_has_its_vocabulary_along_both_tables_and_its_heads_under_attention() -> None:
    known = registry_of(parallel(TINY), 5)
    known.rows = 5
    layout = map_layout(known, 5)

    def texts(name: str, cell: float) -> list[str]:
        x, y = layout.cell_of(name, 0, 0)
        view = MapView(x - 300 / cell, y - 200 / cell, 1 / cell)
        return [label.text for label in labels_for(known, layout, view, WIDE, HIGH, WORDS)]

    for table in (known.description.token_table.name, known.description.head.weight.name):
        assert {"token 0", "token 20"} <= set(texts(table, 12)), table
    assert {"q 0", "q 2", "k 0", "v 2"} <= set(texts(known.description.attention[0].qkv, 8))
    assert "head 2" in texts(known.description.attention[0].output, 8)
