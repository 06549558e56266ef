"""Random checkpoints of odd shapes, with random texts, against float64. ATLAS_SWEEP=200 runs 200 instead of 12."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.weights.random_model import RandomModel

from helpers.gpu import logits_after

pytestmark = pytest.mark.gpu

COUNT = int(os.environ.get("ATLAS_SWEEP", "12"))


@pytest.mark.parametrize("seed", range(COUNT))
def test_logits_of_a_random_checkpoint(device: wgpu.GPUDevice, seed: int) -> None:
    draw = random.Random(seed)
    heads, head_size = draw.choice([1, 2, 3, 5]), draw.choice([4, 8, 12, 16, 20, 32, 36, 64])
    vocabulary = draw.randint(20, 3000)
    positions = draw.randint(2, 90)
    config = ModelConfig(
        draw.randint(1, 3), heads, heads * head_size, positions, vocabulary, vocabulary + draw.choice([0, 3, 47])
    )
    layout, program = draw.choice([("texture", "rows"), ("buffer", "rows"), ("buffer", "fused")])
    model = RandomModel(config, seed=seed)
    engine = Engine.load(
        model, LoadOptions(context=positions, layout=layout, program=program, trace=draw.random() < 0.5)
    )
    for _ in range(3):
        tokens = [draw.randrange(vocabulary) for _ in range(draw.randint(1, 2 * positions))]
        context = draw.randint(1, positions)
        newest = tokens[-context:]
        start = min(len(tokens) - len(newest), positions - len(newest))
        wanted = reference.forward(model, newest, start)["logits"]
        logits = logits_after(engine, tokens, context)
        assert np.abs(logits - wanted).max() <= 2e-3
        assert logits[:vocabulary].argmax() == wanted[:vocabulary].argmax()
