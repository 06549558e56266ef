"""Compares the chained program with the float64 reference and the others, in a separate process: see test_chain."""

from __future__ import annotations

import sys
from dataclasses import replace

from compute.forward import chain_program
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.selftest.check import PASS
from compute.selftest.models import some_tokens
from compute.selftest.passes import PROGRAM_PAIRS, Runner

from helpers.edited_engine import Edited, check_random_edits
from helpers.gpu import assert_ok
from helpers.letters import Letters
from helpers.make_models import tiny_model

PROMPT = "onceuponatime"


def check(config: ModelConfig, dtype: str) -> None:
    """Raise AssertionError when the chain is wrong, or the programs draw other tokens, with this model."""
    model = tiny_model(config)
    (chain,) = (pair for pair in PROGRAM_PAIRS if pair.name == "tiled, chain")
    assert_ok(Runner(model, chain.layout, dtype).run(chain).check(chain.name, str(config), PASS))
    outcomes = []
    for program in ("chain", "fused", "rows"):
        engine = Engine.load(
            model, LoadOptions(context=config.positions, layout="buffer", weights=dtype, program=program)
        )
        assert engine.path == program
        options = GenerateOptions(max_new_tokens=60, temperature=0.0, context=config.positions, top=3)
        generation = Generation(engine, Letters(config.vocabulary, ends=False), PROMPT, options)  # type: ignore[arg-type]
        generation.run()
        outcomes.append(generation.tokens)
    assert outcomes[0] == outcomes[1] == outcomes[2], outcomes
    edited = Edited(replace(config, positions=30), chain.layout, dtype, "chain")
    assert edited.engine.path == "chain"
    check_random_edits(edited, 3)
    edited.engine.set_edits(())
    edited.check((), some_tokens(config, 20), 30, 0)


if __name__ == "__main__":
    chain_program._BLOCKS = 2  # fewer than a GPU runs in a dispatch, so that a small model needs several
    for shape in sys.argv[1:]:
        layers, heads, channels, positions, dtype = shape.split("-")
        print(shape, flush=True)
        check(ModelConfig(int(layers), int(heads), int(channels), int(positions), 26, 32), dtype)
