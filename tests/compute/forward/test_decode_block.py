"""Which descriptions the fused and chain programs run: GPT-2's, and none that differs from it anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compute.forward.decode_block import decode_blocks
from compute.models.architectures import describe
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.models.description import Description
from compute.models.operations import Activation, Alias, Heads, Weight

from helpers.architectures import altered, bare, inserted
from helpers.make_models import ODD_SHAPES, TINY

GPT2 = describe(TINY)


@pytest.mark.parametrize("config", [*ODD_SHAPES, *GPT2_SIZES.values()], ids=str)
def test_every_block_of_gpt2_is_replaced(config: ModelConfig) -> None:
    description = describe(config)
    blocks = decode_blocks(description)
    assert blocks is not None
    assert [block.section for block in blocks] == list(range(1, config.layers + 1))
    for block in blocks:
        computed = [operation.output for operation in description.sections[block.section].computed()]
        assert list(block.outputs) == computed


def test_the_parts_of_a_block() -> None:
    blocks = decode_blocks(GPT2)
    assert blocks is not None
    block = blocks[1]
    assert (block.norm_1.output, block.qkv.output, block.attention.output) == (
        "h.1.ln_1", "h.1.attn.qkv", "h.1.attn.out"
    )  # fmt: skip
    assert (block.attn_proj.output, block.resid_mid.output) == ("h.1.attn.c_proj", "h.1.resid_mid")
    assert (block.norm_2.output, block.fc.output, block.activation.output) == (
        "h.1.ln_2",
        "h.1.mlp.c_fc",
        "h.1.mlp.gelu",
    )
    assert (block.mlp_proj.output, block.resid_post.output) == ("h.1.mlp.c_proj", "h.1.resid_post")


def test_the_bare_architecture_is_not_replaced() -> None:
    assert decode_blocks(bare(TINY)) is None


@pytest.mark.parametrize(
    ("output", "fields"),
    [
        *((name, {"bias": None}) for name in ("h.0.attn.qkv", "h.1.attn.c_proj", "h.0.mlp.c_fc", "h.1.mlp.c_proj")),
        *((name, {"shift": None}) for name in ("h.0.ln_1", "h.1.ln_2", "ln_f")),
        *((name, {"epsilon": 1e-6}) for name in ("h.1.ln_1", "h.0.ln_2", "ln_f")),
        ("h.1.mlp.gelu", {"function": "relu"}),
        # Other wiring.
        ("h.1.ln_1", {"x": "h.0.resid_mid"}),
        ("h.0.ln_2", {"x": "h.0.resid_pre"}),
        ("h.0.ln_2", {"x": "h.0.attn.c_proj"}),
        ("h.0.mlp.c_fc", {"x": "h.0.ln_1"}),
        ("h.1.attn.qkv", {"x": "h.1.resid_pre"}),
        ("h.0.attn.c_proj", {"x": "h.0.ln_1"}),
        ("h.0.mlp.c_proj", {"x": "h.0.mlp.c_fc"}),
        ("h.0.resid_mid", {"terms": ("h.0.attn.c_proj", "h.0.resid_pre")}),
        ("h.0.resid_mid", {"terms": ("h.0.resid_pre", "h.0.attn.c_proj", "h.0.ln_1")}),
        ("h.1.resid_post", {"terms": ("h.1.resid_pre", "h.1.mlp.c_proj")}),
        ("h.1.resid_pre", {"source": "embed.sum"}),
        ("embed.sum", {"terms": ("embed.positions", "embed.tokens")}),
        ("embed.sum", {"terms": ("embed.tokens", "embed.tokens")}),
        ("embed.positions", {"by": "token"}),
        ("ln_f", {"x": "h.1.resid_mid"}),
        ("logits", {"x": "h.1.resid_post"}),
        # Other widths.
        ("h.1.mlp.c_fc", {"columns": 2 * TINY.channels}),
        ("h.0.attn.qkv", {"columns": 6 * TINY.channels}),
        ("h.0.attn.out", {"columns": 2 * TINY.channels}),
        ("h.0.attn.out", {"query": Heads("h.0.attn.qkv", 1, TINY.channels)}),
        ("h.0.attn.out", {"window": 3}),
        ("h.0.attn.out", {"scale": 1.0}),
        ("logits", {"bias": Weight("bias", (TINY.padded_vocabulary,), "")}),
    ],
    ids=str,
)
def test_a_difference_in_one_operation_is_enough(output: str, fields: dict[str, Any]) -> None:
    assert decode_blocks(altered(GPT2, output, **fields)) is None


def test_further_operations_are_not_replaced() -> None:
    more = Activation("more", 12, "", "h.0.resid_mid", "gelu")
    assert decode_blocks(inserted(GPT2, "h.0.resid_mid", more)) is None
    assert decode_blocks(inserted(GPT2, "h.1.resid_post", replace(more, x="h.1.resid_post"))) is None
    assert decode_blocks(inserted(GPT2, "embed.sum", replace(more, x="embed.sum"))) is None
    assert decode_blocks(inserted(GPT2, "ln_f", replace(more, x="ln_f"))) is None


def test_second_names_make_no_difference() -> None:
    again = Alias("again", 12, "", "h.0.resid_mid")
    renamed = altered(inserted(GPT2, "h.0.resid_mid", again), "h.0.ln_2", x="again")
    blocks = decode_blocks(renamed)
    assert blocks is not None
    assert blocks[0].norm_2.x == "again"


def test_a_model_without_blocks() -> None:
    # Nothing to replace, and the head reads the embedding: what the decode programs do around the blocks.
    whole = altered(GPT2, "ln_f", x="embed.sum")
    assert decode_blocks(Description("none", TINY, (whole.sections[0], whole.sections[-1]))) == []
