"""A checkpoint of GPT-2 124M's shape, whose largest matrix is above the largest binding of a software adapter."""

from __future__ import annotations

import math

import pytest
import wgpu

from compute.checkpoint import open_model
from compute.engine import Engine
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def gpt2(device: wgpu.GPUDevice) -> Engine:
    return Engine(open_model("random:gpt2"), context=16)


def test_gpt2_in_float32_loads_and_writes(gpt2: Engine, tokenizer: Tokenizer) -> None:
    config = gpt2.config
    assert (config.layers, config.channels, config.parameters) == (12, 768, 124_439_808)
    assert gpt2.dtype == "f32"
    assert gpt2.gpu_bytes > 497_000_000
    options = GenerateOptions(max_new_tokens=3, temperature=0, context=16)
    generation = Generation(gpt2, tokenizer, "x y z", options)
    generation.run()
    assert len(generation.steps) == 3
    for step in generation.steps:
        assert math.isfinite(step.logit)
        assert step.rank == 1
    assert max(piece.size for s in gpt2.storages.values() for piece in s.pieces if s.kind == "buffer") < 2**27
