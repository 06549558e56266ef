"""The program's folder in the user's cache, and where in it fetched models lie: a folder for each."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from compute.errors import CheckpointError
from compute.models.config import GPT2_SIZES

FETCHABLE = (*GPT2_SIZES, "distilgpt2", "gpt2-llmc", "gpt2-llmc-bf16")
"""Names that `models fetch` and `--model` know."""


def cache_folder() -> Path:
    """The program's folder in the user's cache, which need not exist; `ATLAS_VIEWER_CACHE` names another one."""
    folder = os.environ.get("ATLAS_VIEWER_CACHE") or platformdirs.user_cache_dir("atlas-viewer", appauthor=False)
    return Path(folder)


def models_folder() -> Path:
    """The folder that holds a folder for each fetched model; it need not exist."""
    return cache_folder() / "models"


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
