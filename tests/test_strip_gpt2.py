"""The strip of a model of GPT-2's size, cell by cell: tensors that are larger than a binding, 270 spans."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu
from gpu import read_tensor

from compute.checkpoint import open_model
from compute.engine import Engine
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.palettes import StripLook
from compute.selftest import strip_model
from compute.selftest.strip_model import Entry
from compute.strip import StripPass
from compute.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def run(device: wgpu.GPUDevice, tokenizer: Tokenizer) -> tuple[Engine, dict[str, np.ndarray], list[strip_model.Span]]:
    """An engine after a pass, what its strip tensors hold, and the NumPy model's layout of them."""
    source = open_model("random:gpt2")
    engine = Engine(source, context=32)
    prompt = "Once upon a time there was a little dog, and a cat"
    Generation(engine, tokenizer, prompt, GenerateOptions(max_new_tokens=1, context=32)).run()
    values = {}
    for tensor in engine.registry:
        if tensor.strip:
            weight = tensor.family == "weight"
            values[tensor.name] = np.array(source.tensor(tensor.name) if weight else read_tensor(engine, tensor.name))
    entries = [Entry(name, held.size, engine.registry[name].family) for name, held in values.items()]
    return engine, values, strip_model.layout(entries)


@pytest.mark.parametrize("sampling", ["point", "pool"])
def test_picture(run: tuple[Engine, dict[str, np.ndarray], list[strip_model.Span]], sampling: str) -> None:
    engine, values, spans = run
    strip = StripPass(engine, StripLook(sampling=sampling))
    strip.update()
    found = strip.read().astype(int)
    assert [(s.name, s.first, s.last, s.cells, s.values) for s in strip.layout.spans] == [
        (s.name, s.first, s.last, s.cells, s.values) for s in spans
    ]
    assert len(spans) == 270
    assert np.abs(found - strip_model.paint(values, spans, pool=sampling == "pool")).max() <= 1
