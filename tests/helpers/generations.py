"""Generations of small models whose tokens are letters."""

from __future__ import annotations

from typing import Any

from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions

from helpers.letters import Letters

CONFIG = ModelConfig(layers=2, heads=2, channels=32, positions=40, vocabulary=26, padded_vocabulary=32)
FLAT = ModelConfig(layers=1, heads=1, channels=16, positions=30, vocabulary=6, padded_vocabulary=8)
PROMPT = "onceuponatimetherewasacat"  # more than one chunk


def start(engine: Engine, prompt: str = PROMPT, **options: Any) -> Generation:
    settings = GenerateOptions(**{"max_new_tokens": 12, "context": engine.context, "top": 3} | options)
    letters = Letters(engine.config.vocabulary, ends=engine.config.vocabulary == FLAT.vocabulary)
    return Generation(engine, letters, prompt, settings)  # type: ignore[arg-type]


def run(engine: Engine, prompt: str = PROMPT, **options: Any) -> Generation:
    generation = start(engine, prompt, **options)
    generation.run()
    return generation


def outcome(generation: Generation) -> list[tuple[object, ...]]:
    """The steps without their times."""
    return [(s.index, s.context_start, s.context_length, s.token, s.logit, s.rank, s.top) for s in generation.steps]
