"""Runs the chained program against the rows program and the float64 reference; a process of its own, see test_chain."""

from __future__ import annotations

import sys

import numpy as np
from gpu import read_tensor
from letters import Letters
from make_models import tiny_model

from compute import reference
from compute.config import ModelConfig
from compute.engine import Engine
from compute.generator import Generation
from compute.options import GenerateOptions

PROMPT = "onceuponatime"


def check(config: ModelConfig, dtype: str) -> None:
    """Raise AssertionError when the programs disagree on this model."""
    model = tiny_model(config)
    outcomes = []
    for program in ("chain", "fused", "rows"):
        engine = Engine(model, context=config.positions, layout="buffer", weights=dtype, program=program)
        assert engine.path == program
        options = GenerateOptions(max_new_tokens=60, temperature=0.0, context=config.positions, top=3)
        generation = Generation(engine, Letters(config.vocabulary, ends=False), PROMPT, options)  # type: ignore[arg-type]
        generation.run()
        outcomes.append(generation.tokens)
        if program == "chain":
            assert not engine.decode.stalled()  # type: ignore[attr-defined]
            if dtype == "f32":
                wanted = reference.forward(model, generation.tokens[:-1], 0)
                for tensor in engine.registry:
                    if tensor.family != "weight":
                        found = read_tensor(engine, tensor.name)
                        difference = np.abs(found - wanted[tensor.name]).max()
                        assert difference <= 2e-3, f"{tensor.name}: {difference}"
    assert outcomes[0] == outcomes[1] == outcomes[2], outcomes


if __name__ == "__main__":
    layers, heads, channels, dtype = sys.argv[1:]
    check(ModelConfig(int(layers), int(heads), int(channels), 140, 26, 32), dtype)
