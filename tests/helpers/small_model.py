"""The smallest model that fits GPT-2's tokenizer, for end-to-end tests of commands."""

from __future__ import annotations

from pathlib import Path

from compute.models.config import ModelConfig

from helpers.make_models import tiny_checkpoint

SMALL = ModelConfig(layers=1, heads=1, channels=4, positions=16, vocabulary=50257, padded_vocabulary=50304)


def small_checkpoint(path: Path) -> Path:
    """Write it to `path` as an llm.c file of 800 kB."""
    return tiny_checkpoint(path, SMALL)
