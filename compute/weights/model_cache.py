"""The program's folder in the user's cache, and the folders of fetched models in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from compute.errors import CheckpointError, option
from compute.models.config import GPT2_SIZES

FETCHABLE = (
    *GPT2_SIZES, "distilgpt2", "gpt2-llmc", "gpt2-llmc-bf16", "smollm2-135m", "smollm2-135m-instruct", "qwen3-0.6b",
    "llama-3.2-1b", "gemma-3-270m", "pythia-70m", "pythia-160m", "pythia-410m",
)  # fmt: skip
"""Names of models for `models fetch` and `--model`."""
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[-_.]?[A-Za-z0-9_]){0,95}/[A-Za-z0-9](?:[-_.]?[A-Za-z0-9_]){0,95}")


def cache_folder() -> Path:
    """The program's folder in the user's cache, or `ATLAS_VIEWER_CACHE`. It may not exist."""
    folder = os.environ.get("ATLAS_VIEWER_CACHE") or platformdirs.user_cache_dir("atlas-viewer", appauthor=False)
    return Path(folder)


def models_folder() -> Path:
    """The folder that contains a folder for each fetched model. It may not exist."""
    return cache_folder() / "models"


def is_repository(name: str) -> bool:
    """True for a name such as `owner/name`, which may be that of a repository on the hub."""
    return _REPOSITORY.fullmatch(name) is not None


def model_folder(name: str) -> Path:
    """The folder of the fetched model `name`. It may not exist."""
    return models_folder() / name.replace("/", "--")


def fetched_model(name: str, given: str = "model") -> Path:
    """The path to open for the fetched model `name`: its folder, or the llm.c file in it.

    given: the option or argument with that value, for messages. Raises `CheckpointError` when it was not fetched.
    """
    folder = model_folder(name)
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"{option(given, name)}: has not been fetched; run `atlas-viewer models fetch {name}`"
            " or give the path of a file that you have"
        )
    files = sorted(folder.glob("*.bin"))
    return files[0] if files else folder
