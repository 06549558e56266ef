"""The program's folder in the user's cache, and the folders of fetched models in it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from compute.errors import CheckpointError, option
from compute.models.config import GPT2_SIZES

FETCHABLE = (*GPT2_SIZES, "distilgpt2", "gpt2-llmc", "gpt2-llmc-bf16")
"""Names of models for `models fetch` and `--model`."""


def cache_folder() -> Path:
    """The program's folder in the user's cache, or `ATLAS_VIEWER_CACHE`. It may not exist."""
    folder = os.environ.get("ATLAS_VIEWER_CACHE") or platformdirs.user_cache_dir("atlas-viewer", appauthor=False)
    return Path(folder)


def models_folder() -> Path:
    """The folder that contains a folder for each fetched model. It may not exist."""
    return cache_folder() / "models"


def fetched_model(name: str) -> Path:
    """The path to open for the fetched model `name`: its folder, or the llm.c file in it.

    Raises `CheckpointError` when it was not fetched.
    """
    folder = models_folder() / name
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"{option('model', name)}: has not been fetched; run `atlas-viewer models fetch {name}`"
            " or give the path of a file that you have"
        )
    files = sorted(folder.glob("*.bin"))
    return files[0] if files else folder
