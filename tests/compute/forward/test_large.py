"""A model with the shape of GPT-2 124M, whose largest matrix exceeds the largest binding of a software adapter.

It loads and generates, and all cells of its Strip are correct, with 270 spans.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import wgpu

from compute.api.activation_reader import ActivationReader
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.models.architectures import parameter_count
from compute.sampling.options import GenerateOptions
from compute.selftest import strip_model
from compute.selftest.strip_model import Entry
from compute.text.tokenizer import Tokenizer
from compute.views.palettes import ColorMapping
from compute.views.strip import StripPass
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def gpt2(device: wgpu.GPUDevice) -> tuple[Engine, dict[str, np.ndarray]]:
    """An engine, and the weights that its Strip shows."""
    source = open_model("random:gpt2")
    engine = Engine.load(source, LoadOptions(context=32))
    weights = [tensor.name for tensor in engine.registry if tensor.strip and tensor.kind == "weight"]
    return engine, {name: np.array(source.tensor(name)) for name in weights}


@pytest.mark.parametrize("sampling", ["point", "pool"])
def test_the_strip(gpt2: tuple[Engine, dict[str, np.ndarray]], tokenizer: Tokenizer, sampling: str) -> None:
    engine, weights = gpt2
    prompt = "Once upon a time there was a little dog, and a cat"
    Generation(engine, tokenizer, prompt, GenerateOptions(max_new_tokens=1, context=32)).run()
    tensors = [tensor for tensor in engine.registry if tensor.strip]
    names = [tensor.name for tensor in tensors if tensor.kind not in ("weight", "logits")]
    activations = ActivationReader(engine).read(names)
    values = {**weights, **activations, "logits": engine.read_logits()}
    spans = strip_model.layout(Entry(tensor.name, values[tensor.name].size, tensor.kind) for tensor in tensors)
    strip = StripPass(engine, ColorMapping(sampling=sampling))
    strip.update()
    picture = strip.read().astype(int)
    assert [(s.name, s.first, s.last, s.cells, s.values) for s in strip.layout.spans] == [
        (s.name, s.first, s.last, s.cells, s.values) for s in spans
    ]
    assert len(spans) == 270
    assert np.abs(picture - strip_model.paint(values, spans, pool=sampling == "pool")).max() <= 1


def test_it_loads_and_generates_in_float32(gpt2: tuple[Engine, dict[str, np.ndarray]], tokenizer: Tokenizer) -> None:
    engine = gpt2[0]
    config = engine.config
    assert (config.layers, config.channels, parameter_count(config)) == (12, 768, 124_439_808)
    assert engine.dtype == "f32"
    assert engine.gpu_bytes > 497_000_000
    options = GenerateOptions(max_new_tokens=3, temperature=0, context=16)
    generation = Generation(engine, tokenizer, "x y z", options)
    generation.run()
    assert len(generation.steps) == 3
    for step in generation.steps:
        assert math.isfinite(step.logit)
        assert step.rank == 1
    assert max(shard.size for s in engine.storages.values() for shard in s.shards if s.kind == "buffer") < 2**27
