"""The points of a lens and the parts of a logit follow from the description."""

from __future__ import annotations

import pytest

from compute.errors import UsageError
from compute.lens.parts import Bias, Heads, Whole, parts_of
from compute.lens.points import lens_points
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.gpt2 import gpt2
from compute.selftest.models import SMALL

from helpers import parallel_model
from helpers.architectures import altered, bare


def test_points_are_the_embedding_and_what_each_block_leaves() -> None:
    assert lens_points(gpt2(SMALL)) == ("embed.sum", "h.0.resid_post", "h.1.resid_post")
    assert lens_points(parallel_model.parallel(parallel_model.SMALL)) == (
        "embed.sum", "h.0.resid_post", "h.1.resid_post",
    )  # fmt: skip
    config = ModelConfig(layers=1, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=97)
    assert lens_points(bare(config)) == ("tokens", "h.0.post")


def test_a_head_that_reads_something_else_has_no_lens() -> None:
    with pytest.raises(UsageError, match=r"the head reads h\.0\.resid_post, not h\.1\.resid_post"):
        lens_points(altered(gpt2(SMALL), "ln_f", x="h.0.resid_post"))


def test_parts_of_gpt2() -> None:
    block = [("h.0.attn", Heads), ("h.0.attn.bias", Bias), ("h.0.mlp", Whole)]
    parts = [(part.name, type(part)) for part in parts_of(describe(SMALL))]
    assert parts[:5] == [("embed.tokens", Whole), ("embed.positions", Whole), *block]
    assert [name for name, _ in parts[5:]] == [name.replace("h.0", "h.1") for name, _ in block]


def test_parts_without_biases() -> None:
    parts = [part.name for part in parts_of(parallel_model.parallel(parallel_model.SMALL))]
    assert parts == ["embed.positions", "embed.tokens", "h.0.attn", "h.0.mlp", "h.1.attn", "h.1.mlp"]


def test_names_of_one_word_stay() -> None:
    config = ModelConfig(layers=1, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=97)
    assert [part.name for part in parts_of(bare(config))] == ["tokens", "h.0.attn", "h.0.mlp"]
