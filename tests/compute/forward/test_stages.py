"""Stages: which operations the generic programs compute in one kernel, and whose memory a result takes."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from compute.forward.stages import reads_after, stages
from compute.models.architectures import describe
from compute.models.description import Description
from compute.models.operations import Activation, Add, Linear, Weight

from helpers.architectures import altered, bare, inserted
from helpers.make_models import TINY

GPT2 = describe(TINY)
BARE = bare(TINY)


def outputs(description: Description, apart: Collection[str] = ()) -> list[tuple[str, ...]]:
    """What the operations of each stage write."""
    return [tuple(operation.output for operation in stage.operations) for stage in stages(description, apart)]


def test_stages_of_gpt2() -> None:
    made = stages(GPT2)
    assert outputs(GPT2)[:8] == [
        ("embed.tokens", "embed.positions", "embed.sum"),
        ("h.0.ln_1",),
        ("h.0.attn.qkv",),
        ("h.0.attn.out",),
        ("h.0.attn.c_proj", "h.0.resid_mid"),
        ("h.0.ln_2",),
        ("h.0.mlp.c_fc", "h.0.mlp.gelu"),
        ("h.0.mlp.c_proj", "h.0.resid_post"),
    ]
    assert outputs(GPT2)[-1] == ("ln_f",)
    assert [stage.section for stage in made] == [0, *[1] * 7, *[2] * 7, 3]
    in_place = {stage.output.output: stage.in_place for stage in made if stage.in_place is not None}
    assert in_place == {
        "h.0.resid_mid": "embed.sum", "h.0.resid_post": "h.0.resid_mid",
        "h.1.resid_mid": "h.0.resid_post", "h.1.resid_post": "h.1.resid_mid",
    }  # fmt: skip
    added = made[4]
    assert (added.first.output, added.output.output) == ("h.0.attn.c_proj", "h.0.resid_mid")
    assert added.inputs == ("h.0.attn.out", "h.0.resid_pre")
    assert made[0].inputs == ()


def test_stages_of_the_bare_architecture() -> None:
    assert outputs(BARE)[:8] == [
        ("tokens",), ("h.0.ln",), ("h.0.qkv",), ("h.0.mixed",), ("h.0.attn",), ("h.0.hidden", "h.0.relu"),
        ("h.0.mlp",), ("h.0.post",),
    ]  # fmt: skip
    assert not any(stage.in_place for stage in stages(BARE))


@pytest.mark.parametrize(
    ("apart", "single", "more"),
    [
        ({"embed.tokens"}, {"embed.tokens", "embed.positions", "embed.sum"}, 2),
        ({"embed.positions"}, {"embed.tokens", "embed.positions", "embed.sum"}, 2),
        ({"h.1.attn.c_proj"}, {"h.1.attn.c_proj", "h.1.resid_mid"}, 1),
        ({"h.0.mlp.c_fc"}, {"h.0.mlp.c_fc", "h.0.mlp.gelu"}, 1),
        ({"h.1.mlp.c_proj", "h.1.mlp.c_fc"}, {"h.1.mlp.c_proj", "h.1.resid_post", "h.1.mlp.c_fc", "h.1.mlp.gelu"}, 2),
        ({"embed.sum", "h.0.mlp.gelu", "h.1.resid_mid", "h.0.ln_1", "h.0.resid_pre"}, set(), 0),  # ends of stages
    ],
)
def test_no_stage_goes_beyond_an_activation_that_is_apart(apart: set[str], single: set[str], more: int) -> None:
    """single: outputs that are stages of their own; more: additional stages."""
    made = outputs(GPT2, apart)
    assert {(name,) for name in single} <= set(made)
    assert len(made) == len(outputs(GPT2)) + more


@pytest.mark.parametrize("description", [GPT2, BARE], ids=lambda made: made.architecture)
def test_every_operation_is_in_one_stage(description: Description) -> None:
    computed = [operation.output for section in description.sections for operation in section.computed()]
    assert [output for stage in outputs(description) for output in stage] == computed
    assert outputs(description, computed) == [(output,) for output in computed]


def test_a_product_that_is_read_twice_is_a_stage_of_its_own() -> None:
    twice = inserted(GPT2, "h.0.mlp.c_fc", Activation("h.0.more", 48, "", "h.0.mlp.c_fc", "relu"))
    assert ("h.0.mlp.c_fc",) in outputs(twice)
    twice = inserted(GPT2, "h.0.resid_post", Add("h.0.more", 12, "", ("h.0.resid_post", "h.0.attn.c_proj")))
    assert ("h.0.attn.c_proj",) in outputs(twice)


def test_a_stream_that_is_read_later_keeps_its_memory() -> None:
    later = altered(GPT2, "h.1.resid_post", terms=("h.1.resid_mid", "h.0.resid_mid", "h.1.mlp.c_proj"))
    in_place = [stage.in_place for stage in stages(later)]
    assert "h.0.resid_mid" not in in_place
    assert "embed.sum" in in_place


def test_the_sum_of_a_stream_and_its_own_product_is_not_in_place() -> None:
    # The kernel would read rows of the stream that it has changed already.
    square = Weight("h.0.square.weight", (12, 12), "")
    product = Linear("h.0.square", 12, "", "h.0.resid_post", square)
    total = Add("h.0.total", 12, "", ("h.0.resid_post", "h.0.square"))
    description = altered(inserted(GPT2, "h.0.resid_post", product, total), "h.1.resid_pre", source="h.0.total")
    assert outputs(description)[8:10] == [("h.0.square",), ("h.0.total",)]


def test_what_is_read_from_each_stage_on() -> None:
    made = stages(GPT2)
    needed = dict(zip((stage.output.output for stage in made), reads_after(made, GPT2), strict=True))
    assert needed["embed.sum"] >= {"embed.sum", "ln_f", "h.1.attn.qkv"}
    assert "embed.sum" in needed["h.0.resid_mid"]  # which reads it by its second name
    assert "embed.sum" not in needed["h.0.ln_2"]
    assert not any("resid_pre" in name for name in needed["embed.sum"])
    assert needed["h.1.resid_post"] == {"h.1.resid_mid", "h.1.mlp.gelu", "h.1.resid_post", "ln_f"}
    assert needed["ln_f"] == {"h.1.resid_post", "ln_f"}
