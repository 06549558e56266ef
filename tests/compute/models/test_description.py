"""Descriptions: GPT-2's, one that differs from it in every way, and what hangs together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.models.architectures import (
    block_parameter_shapes,
    describe,
    parameter_count,
    parameter_shapes,
    register,
)
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.models.description import Description, Section
from compute.models.operations import Activation, Add, Alias, Gather, Head, LayerNorm, Linear, Weight

from helpers.architectures import altered, architecture, bare, record
from helpers.make_models import ODD_SHAPES, TINY

GPT2 = describe(TINY)
BARE = bare(TINY)

# -- weights

BLOCK = (
    ("ln_1.weight", ("C",)), ("ln_1.bias", ("C",)), ("attn.c_attn.weight", ("3C", "C")), ("attn.c_attn.bias", ("3C",)),
    ("attn.c_proj.weight", ("C", "C")), ("attn.c_proj.bias", ("C",)), ("ln_2.weight", ("C",)), ("ln_2.bias", ("C",)),
    ("mlp.c_fc.weight", ("4C", "C")), ("mlp.c_fc.bias", ("4C",)), ("mlp.c_proj.weight", ("C", "4C")),
    ("mlp.c_proj.bias", ("C",)),
)  # fmt: skip


@pytest.mark.parametrize("config", [*ODD_SHAPES, *GPT2_SIZES.values()], ids=str)
def test_weights_are_in_the_order_in_which_files_have_them(config: ModelConfig) -> None:
    c = config.channels
    sizes = {"C": c, "3C": 3 * c, "4C": 4 * c}
    block = [(name, tuple(sizes[size] for size in shape)) for name, shape in BLOCK]
    expected: list[tuple[str, tuple[int, ...]]] = [
        ("wte", (config.padded_vocabulary, c)),
        ("wpe", (config.positions, c)),
        *((f"h.{layer}.{name}", shape) for layer in range(config.layers) for name, shape in block),
        ("ln_f.weight", (c,)),
        ("ln_f.bias", (c,)),
    ]
    assert list(parameter_shapes(config).items()) == expected
    assert list(block_parameter_shapes(config).items()) == block


@pytest.mark.parametrize(
    ("name", "count"),
    [("gpt2", 124439808), ("gpt2-medium", 354823168), ("gpt2-large", 774030080), ("gpt2-xl", 1557611200)],
)
def test_the_number_of_parameters_is_the_published_one(name: str, count: int) -> None:
    assert parameter_count(GPT2_SIZES[name]) == count


def test_matrices_of_the_blocks_are_stored_input_major() -> None:
    stored = {name for name, weight in GPT2.weights.items() if weight.input_major}
    assert stored == {name for name, weight in GPT2.weights.items() if len(weight.shape) == 2} - {"wte", "wpe"}
    assert not any(weight.input_major for weight in BARE.weights.values())


def test_a_tied_head_shares_its_matrix() -> None:
    assert GPT2.head.weight is GPT2.token_table
    assert [weight.name for weight in GPT2.sections[-1].weights] == ["ln_f.weight", "ln_f.bias", "wte"]
    assert list(GPT2.weights).count("wte") == 1


def test_weights_of_an_untied_head_without_biases() -> None:
    block = ["ln.weight", "attn.qkv.weight", "attn.out.weight", "mlp.in.weight", "mlp.out.weight"]
    assert list(BARE.weights) == [
        "table", *(f"h.{n}.{name}" for n in (0, 1) for name in block), "ln_f.weight", "ln_f.bias", "unembed"
    ]  # fmt: skip
    assert BARE.token_table.name == "table"
    assert BARE.head.weight.name == "unembed"
    with architecture("bare", bare):
        c, v = TINY.channels, TINY.vocabulary
        # Both tables have padding rows, which do not count.
        per_block = c + 3 * c * c + c * c + 2 * c * c + 2 * c * c
        assert parameter_count(replace(TINY, architecture="bare")) == 2 * v * c + 2 * per_block + 2 * c


def test_position_tables() -> None:
    assert GPT2.position_tables == {"wpe"}
    assert BARE.position_tables == frozenset()


# -- operations and what they read


def test_activations_with_memory_of_their_own() -> None:
    computed = [[operation.output for operation in section.computed()] for section in GPT2.sections]
    names = ("ln_1", "attn.qkv", "attn.out", "attn.c_proj", "resid_mid", "ln_2", "mlp.c_fc", "mlp.gelu", "mlp.c_proj")
    assert computed == [
        ["embed.tokens", "embed.positions", "embed.sum"],
        *([f"h.{n}.{name}" for name in (*names, "resid_post")] for n in (0, 1)),
        ["ln_f"],
    ]


def test_aliases_lead_to_the_memory() -> None:
    assert GPT2.aliases == {"h.0.resid_pre": "embed.sum", "h.1.resid_pre": "h.0.resid_post"}
    assert GPT2.canonical("h.1.resid_pre") == "h.0.resid_post"
    assert GPT2.canonical("h.1.resid_mid") == "h.1.resid_mid"
    assert GPT2.canonical("wte") == "wte"
    first, second = Alias("b", 12, "", "a"), Alias("c", 12, "", "b")
    assert small(first, second).aliases == {"b": "a", "c": "a"}


def test_readers_and_sources_mirror_each_other() -> None:
    for description in (GPT2, BARE):
        for name in (*description.outputs, *description.weights):
            for reader in description.readers(name):
                assert name in description.sources(reader)
            for source in description.sources(name):
                assert name in description.readers(source)


def test_readers_and_sources_of_gpt2() -> None:
    assert GPT2.readers("wte") == ("embed.tokens", "logits")
    assert GPT2.readers("h.0.resid_pre") == ("h.0.ln_1", "h.0.resid_mid")
    assert GPT2.readers("h.0.resid_post") == ("h.1.resid_pre",)
    assert GPT2.readers("h.1.resid_post") == ("ln_f",)
    assert GPT2.readers("logits") == GPT2.readers("nothing") == ()
    assert GPT2.sources("h.0.attn.qkv") == ("h.0.ln_1", "h.0.attn.c_attn.weight", "h.0.attn.c_attn.bias")
    assert GPT2.sources("h.1.resid_post") == ("h.1.resid_mid", "h.1.mlp.c_proj")
    assert GPT2.sources("h.1.resid_pre") == ("h.0.resid_post",)
    assert GPT2.sources("embed.tokens") == ("wte",)
    assert GPT2.sources("logits") == ("ln_f", "wte")
    assert GPT2.sources("wte") == GPT2.sources("nothing") == ()


def test_readers_of_side_by_side_branches() -> None:
    assert BARE.readers("h.0.ln") == ("h.0.qkv", "h.0.hidden")
    assert BARE.sources("h.0.post") == ("h.0.pre", "h.0.attn", "h.0.mlp")


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("embed.sum", "h.0.resid_mid"),  # by its second name
        ("h.0.resid_post", "h.1.resid_mid"),
        ("h.0.resid_mid", "h.0.resid_post"),
        ("h.1.resid_post", "ln_f"),
        ("h.0.ln_1", "h.0.attn.qkv"),
        ("ln_f", "logits"),
        ("logits", None),
    ],
)
def test_the_last_reader_of_a_memory(name: str, reader: str | None) -> None:
    assert GPT2.last_reader(name) == reader


# -- the residual stream


def test_the_stream_of_gpt2() -> None:
    assert GPT2.stream == ("embed.sum", "h.0.resid_mid", "h.0.resid_post", "h.1.resid_mid", "h.1.resid_post")
    assert GPT2.contributors("embed.sum") == ("embed.tokens", "embed.positions")
    assert GPT2.contributors("h.1.resid_mid") == ("h.1.attn.c_proj",)
    assert GPT2.contributors("h.1.resid_post") == ("h.1.mlp.c_proj",)


def test_the_stream_of_the_bare_architecture_begins_with_the_embedding() -> None:
    assert BARE.stream == ("tokens", "h.0.post", "h.1.post")
    assert BARE.contributors("tokens") == ("tokens",)
    assert BARE.contributors("h.0.post") == ("h.0.attn", "h.0.mlp")


def test_sums_within_a_branch_are_no_points_of_the_stream() -> None:
    inner = Add("inner", 12, "", ("b", "b"))
    description = small(Activation("b", 12, "", "a", "relu"), inner, Add("c", 12, "", ("a", "inner")))
    assert description.stream == ("a", "c")


# -- what does not hang together

ROWS = Gather("a", 12, "", Weight("table", (24, 12), ""), "token")


def small(*operations: Alias | Activation | Add | Linear) -> Description:
    """A token embedding `a`, and a block of `operations`."""
    return Description("small", TINY, (Section("embedding", None, (ROWS,)), Section("block 0", 0, operations)))


def test_an_operation_that_reads_what_nobody_has_computed() -> None:
    with pytest.raises(ValueError, match=r"^b: reads \['missing'\]"):
        small(Activation("b", 12, "", "missing", "relu"))
    with pytest.raises(ValueError, match=r"^b: reads \['c'\]"):  # computed later
        small(Activation("b", 12, "", "c", "relu"), Alias("c", 12, "", "a"))
    with pytest.raises(ValueError, match=r"^b: reads \['b'\]"):
        small(Activation("b", 12, "", "b", "relu"))


def test_an_activation_that_is_computed_twice() -> None:
    with pytest.raises(ValueError, match=r"^a: .* computed twice"):
        small(Activation("a", 12, "", "a", "relu"))


def test_a_head_that_does_not_read_a_norm() -> None:
    assert altered(GPT2, "logits", x="h.1.resid_post").final_norm is None
    assert isinstance(GPT2.final_norm, LayerNorm)
    assert isinstance(GPT2.head, Head)
    assert (GPT2.final_norm.output, GPT2.head.columns, GPT2.head.vocabulary) == ("ln_f", 24, 21)


# -- the register


def test_a_description_is_made_once_per_config() -> None:
    assert describe(replace(TINY)) is describe(replace(TINY))
    assert describe(replace(TINY, layers=3)).config.layers == 3


def test_an_architecture_has_one_name() -> None:
    with pytest.raises(ValueError, match="gpt2"):
        register(record("gpt2", bare))
    with pytest.raises(ValueError, match="mine"):
        register(replace(record("mine", bare), model_types=("gpt2",)))
    with pytest.raises(KeyError, match="unheard-of"):
        describe(replace(TINY, architecture="unheard-of"))
    with architecture("mine", bare):
        assert describe(replace(TINY, architecture="mine")).head.weight.name == "unembed"
    with pytest.raises(KeyError, match="mine"):
        describe(replace(TINY, architecture="mine"))


def test_every_tensor_has_a_sentence() -> None:
    for operation in GPT2.operations():
        for text in (operation.about, *(weight.about for weight in operation.weights)):
            assert text.endswith(".")
    assert all(attention.about_pattern.endswith(".") for attention in GPT2.attention)
    assert GPT2.outputs["h.1.ln_1"].about == "Block 1: The residual stream, normalized for attention."
