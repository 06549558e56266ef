"""Helpers that the tests of fetching share: a small model, a hub that has it, an empty cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import huggingface_hub.file_download
import numpy as np
import pytest

from atlas_viewer.hub.catalogue import CatalogueEntry, CatalogueFile
from compute.errors import FetchError

from helpers.hub_server import COMMIT, HubServer, hub_server

WEIGHTS = np.random.default_rng(0).bytes(50_000)
CONFIG = b'{"model_type": "gpt2"}'
REPO = "someone/small"
KEY = f"{REPO}/model.safetensors"


def small_entry(size: int | None = None, sha256: str | None = None, revision: str = COMMIT) -> CatalogueEntry:
    """The model as a catalogue knows it, with the size and hash of its weights."""
    files = (CatalogueFile("config.json"), CatalogueFile("model.safetensors", size, sha256))
    return CatalogueEntry("gpt2", "a small one", "MIT", REPO, revision, files)


ENTRY = small_entry()


def empty_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder of models. Files come in pieces of 1000 bytes, and retries do not wait."""
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _seconds: None)
    return folder / "models"


@contextmanager
def small_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub that offers the model, set in the environment."""
    with hub_server(files={f"{REPO}/config.json": CONFIG, KEY: WEIGHTS}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def message_of(action: Callable[..., Any], *arguments: object) -> str:
    """The one-line message with which `action` fails."""
    with pytest.raises(FetchError) as caught:
        action(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    return message


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def large_requests(hub: HubServer) -> list[str]:
    """The byte ranges in which the large file was requested."""
    return [wanted for method, path, wanted in hub.log if method == "GET" and path.startswith("/content/")]
