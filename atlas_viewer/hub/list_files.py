"""Asks the hub which files a repository has, and chooses those that a model needs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx2
from huggingface_hub import HfApi, hf_hub_url

from compute.errors import FetchError
from compute.io.escape import one_line

from .catalogue import CatalogueEntry
from .client import HEADERS, endpoint, failures_as_fetch_errors, token
from .offer import Offer, RemoteFile

CONFIG = "config.json"
WEIGHTS = ".safetensors"
"""End of the names of files with weights."""
_INDEX = "model.safetensors.index.json"
_SMALL = (CONFIG, "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_SHARD = re.compile(r"model-[0-9]{5}-of-([0-9]{5})\.safetensors")
_SECONDS = 30.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def list_files(entry: CatalogueEntry) -> Offer:
    """The files of the newest revision that a model needs, the small ones first. Raises `FetchError`."""
    given = token()
    with failures_as_fetch_errors(entry.repo):
        api = HfApi(endpoint=endpoint(), token=given or False, headers=dict(HEADERS))
        try:
            info = api.model_info(entry.repo, revision=entry.revision, files_metadata=True, timeout=_SECONDS)
        except (httpx2.RequestError, httpx2.HTTPStatusError):
            raise
        except (KeyError, TypeError, AttributeError):
            raise _no_hub(entry) from None
    if info.gated and given is None:
        raise FetchError(
            f"{entry.repo}: is gated; accept its license on its page on the hub, then set HF_TOKEN to a token of your"
            " account"
        )
    files = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    revision = info.sha or ""
    if not _COMMIT.fullmatch(revision):
        raise _no_hub(entry)
    chosen = tuple(_remote(entry, name, files[name], revision, given) for name in needed(entry.repo, list(files)))
    licence = getattr(info.card_data, "license", None)
    if not entry.size and isinstance(licence, str):
        entry = replace(entry, licence=one_line(licence, 40))
    return Offer(entry, revision, chosen)


def needed(repo: str, names: list[str]) -> list[str]:
    """The files of a repository that a model needs, the small ones first. Raises `FetchError`."""
    if CONFIG not in names:
        raise FetchError(f"{repo}: has no {CONFIG}, so it is not a model that can run here; choose another repository")
    shards = sorted(name for name in names if _SHARD.fullmatch(name))
    if "model.safetensors" in names:
        weights = ["model.safetensors"]
    elif _INDEX in names and shards:
        weights = [_INDEX, *shards]
    elif any(name.endswith(".gguf") for name in names):
        raise FetchError(
            f"{repo}: has GGUF files, which are not fetched; download one from its page and give its path with --model"
        )
    else:
        raise FetchError(f"{repo}: has no model.safetensors; choose a repository with weights in that format")
    return [*(name for name in _SMALL if name in names), *weights]


def _remote(entry: CatalogueEntry, name: str, sibling: Any, revision: str, given: str | None) -> RemoteFile:
    large = sibling.lfs
    sha256 = getattr(large, "sha256", None)
    size, etag = sibling.size, sha256 or sibling.blob_id
    if type(size) is not int or not isinstance(etag, str) or not (_COMMIT.fullmatch(etag) or _SHA256.fullmatch(etag)):
        raise _no_hub(entry)
    url = hf_hub_url(entry.repo, name, repo_type=entry.kind, revision=revision, endpoint=endpoint())
    return RemoteFile(name, url, size, etag, sha256, given)


def _no_hub(entry: CatalogueEntry) -> FetchError:
    return FetchError(
        f"{entry.repo}: the answer does not come from a hub (no list of files); check HF_ENDPOINT and the proxy"
    )
