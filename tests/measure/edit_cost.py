"""Measures the cost of edits: the speed of decoding with and without them.

Usage: `PYTHONPATH=tests python -m measure.edit_cost [MODEL] [WEIGHTS] [TOKENS] [ROUNDS]`.

Rounds alternate, so that a busy machine disturbs all alike; the best of each is printed, with its share of the speed
without edits.
"""

from __future__ import annotations

import sys

import numpy as np

from compute.edits.grammar import EditLike, edits_of
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.generate.generator import Generation
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

PROMPT = "Once upon a time, there was a"


def ways(engine: Engine) -> dict[str, list[EditLike]]:
    """Lists of edits by what they do, for a model of at least three blocks."""
    vector = np.ones(engine.config.channels, np.float32)
    heads = [f"h.{block}.attn.out[head=1] *= 0.5" for block in range(engine.config.layers)]
    return {
        "no edit": [],
        "a head": ["h.2.attn.out[head=1] = 0"],
        "a vector": [("h.2.resid_post +=", vector)],
        "a pattern": ["h.2.attn.pattern[head=1] *= 0.5"],
        "a weight": ["h.2.mlp.c_fc.weight[5] = 0"],
        "a head of each block": list(heads),
    }


def main(model: str = "random:gpt2", weights: str = "f16", tokens: int = 240, rounds: int = 3) -> None:
    """Print tokens per second for each way."""
    engine = Engine.load(open_model(model), LoadOptions(context=256, weights=weights))
    tokenizer = load_tokenizer()
    prompt = tokenizer.encode(PROMPT)
    options = GenerateOptions(max_new_tokens=tokens, context=256, top=0)
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, edits in ways(engine).items():
            resolved = resolve_edits(engine, edits_of(edits), prompt, len(prompt) + tokens)
            generation = Generation(engine, tokenizer, PROMPT, options, edits=resolved)
            generation.run()
            assert all(engine.effects().changed), name
            best[name] = max(best.get(name, 0.0), generation.tokens_per_second)
    print(f"{engine.adapter_name}, {engine.path}, {model} {weights}")
    for name, speed in best.items():
        print(f"{name:>22}: {speed:8.1f} tokens/s, {100 * speed / best['no edit']:5.1f} %")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given[:2], *map(int, given[2:]))  # type: ignore[arg-type]
