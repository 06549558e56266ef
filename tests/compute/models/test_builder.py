"""The builder: names, sentences, shapes and wiring of what each call appends."""

from __future__ import annotations

import pytest

from compute.models.builder import Builder
from compute.models.operations import Activation, Add, Alias, Attention, Gather, Head, Heads, LayerNorm, Linear, Weight

from helpers.make_models import TINY

ABOUT = {
    name: f"About {name}."
    for name in (
        "table", "rows", "places", "sum", "again", "norm", "norm.weight", "norm.bias", "out", "mod.weight", "mod.bias",
        "act", "mixed", "pattern", "logits",
    )
}  # fmt: skip
TABLE = Weight("table", (24, 12), "About table.")


@pytest.fixture
def m() -> Builder:
    builder = Builder(TINY, ABOUT, input_major=True)
    builder.section("embedding")
    return builder


def test_operations_outside_of_the_blocks(m: Builder) -> None:
    table = m.weight("table", 24, 12)
    assert table == TABLE
    rows = m.gather("rows", table, by="token")
    assert rows == Gather("rows", 12, "About rows.", TABLE, "token")
    places = m.gather("places", table, by="position")
    assert places == Gather("places", 12, "About places.", TABLE, "position")
    total = m.add("sum", rows, places)
    assert total == Add("sum", 12, "About sum.", ("rows", "places"))
    assert m.alias("again", total) == Alias("again", 12, "About again.", "sum")
    assert m.head("logits", total, table) == Head(
        "logits", 24, "About logits.", "sum", TABLE, vocabulary=TINY.vocabulary
    )


def test_operations_of_a_block_have_its_number(m: Builder) -> None:
    rows = m.gather("rows", m.weight("table", 24, 12), by="token")
    m.section("block 7", 7)
    scale = Weight("h.7.norm.weight", (12,), "Block 7: About norm.weight.")
    shift = Weight("h.7.norm.bias", (12,), "Block 7: About norm.bias.")
    norm = m.layer_norm("norm", rows)
    assert norm == LayerNorm("h.7.norm", 12, "Block 7: About norm.", "rows", scale, shift, 1e-5)
    matrix = Weight("h.7.mod.weight", (36, 12), "Block 7: About mod.weight.", input_major=True)
    bias = Weight("h.7.mod.bias", (36,), "Block 7: About mod.bias.")
    out = m.linear("out", norm, "mod", 36)
    assert out == Linear("h.7.out", 36, "Block 7: About out.", "h.7.norm", matrix, bias)
    assert m.attention("mixed", out, heads=3, pattern="pattern") == Attention(
        "h.7.mixed",
        12,
        "Block 7: About mixed.",
        Heads("h.7.out", 3, 4),
        Heads("h.7.out", 3, 4, 12),
        Heads("h.7.out", 3, 4, 24),
        "h.7.pattern",
        "Block 7: About pattern.",
    )
    assert m.activation("act", out, "relu") == Activation("h.7.act", 36, "Block 7: About act.", "h.7.out", "relu")


def test_biases_are_optional(m: Builder) -> None:
    rows = m.gather("rows", m.weight("table", 24, 12), by="token")
    norm, out = m.layer_norm("norm", rows, bias=False), m.linear("out", rows, "mod", 36, bias=False)
    assert isinstance(norm, LayerNorm)
    assert norm.shift is None
    assert [weight.name for weight in norm.weights] == ["norm.weight"]
    assert isinstance(out, Linear)
    assert out.bias is None
    assert [weight.name for weight in out.weights] == ["mod.weight"]


def test_a_tensor_without_a_sentence_is_an_error(m: Builder) -> None:
    rows = m.gather("rows", m.weight("table", 24, 12), by="token")
    with pytest.raises(KeyError, match="unexplained"):
        m.add("unexplained", rows)
    with pytest.raises(KeyError, match=r"out\.weight"):
        m.linear("out", rows, "out", 12)


def test_sections_are_in_order(m: Builder) -> None:
    rows = m.gather("rows", m.weight("table", 24, 12), by="token")
    m.section("block 0", 0)
    out = m.activation("act", rows, "gelu")
    m.section("head")
    m.head("logits", out, TABLE)
    description = m.description("mine")
    assert (description.architecture, description.config) == ("mine", TINY)
    assert [(s.title, s.block, [op.output for op in s.operations]) for s in description.sections] == [
        ("embedding", None, ["rows"]), ("block 0", 0, ["h.0.act"]), ("head", None, ["logits"])
    ]  # fmt: skip


def test_a_name_that_is_used_twice_is_an_error(m: Builder) -> None:
    table = m.weight("table", 24, 12)
    m.gather("rows", table, by="token")
    m.gather("rows", table, by="position")
    with pytest.raises(ValueError, match="rows: "):
        m.description("mine")
