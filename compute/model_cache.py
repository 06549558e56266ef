"""Where fetched models lie: a folder for each in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from .config import GPT2_SIZES
from .errors import CheckpointError

FETCHABLE = (*GPT2_SIZES, "distilgpt2", "gpt2-llmc", "gpt2-llmc-bf16")
"""Names that `models fetch` and `--model` know."""


def models_folder() -> Path:
    """The folder that holds a folder for each fetched model; it need not exist."""
    return Path(platformdirs.user_cache_dir("atlas-viewer", appauthor=False)) / "models"


def fetched_model(name: str) -> Path:
    """What to open for the fetched model `name`: its folder, or the llm.c file in it.

    Raises `CheckpointError` when it was not fetched.
    """
    folder = models_folder() / name
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"--model {name}: was not fetched yet; run `atlas-viewer models fetch {name}`"
            " or give the path of a file that you have"
        )
    files = sorted(folder.glob("*.bin"))
    return files[0] if files else folder
