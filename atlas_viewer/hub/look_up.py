"""Asks the hub for the size and hash of each file in a catalogue entry."""

from __future__ import annotations

import re

from huggingface_hub import get_hf_file_metadata, hf_hub_url

from compute.errors import FetchError

from .catalogue import CatalogueEntry
from .client import HEADERS, endpoint, failures_as_fetch_errors
from .list_files import list_files
from .offer import Offer, RemoteFile

_SHA256_DIGITS = 64
# A large file's ETag is its SHA-256, a small file's its git SHA-1. A commit hash is a SHA-1, too.
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def look_up(entry: CatalogueEntry) -> Offer:
    """Ask the hub for sizes and hashes, and compare them with the catalogue. Raises `FetchError`."""
    if not entry.files:
        return list_files(entry)
    revision = entry.revision
    files = []
    for known in entry.files:
        # The first answer names the commit of the newest revision; the other files are requested at that commit.
        url = _url(entry, known.name, revision or "main")
        with failures_as_fetch_errors(f"{entry.repo}/{known.name}"):
            answer = get_hf_file_metadata(url, token=False, headers=dict(HEADERS))
        what = f"{entry.repo}/{known.name}"
        if (
            answer.size is None
            or not _ETAG.fullmatch(answer.etag or "")
            or not _COMMIT.fullmatch(answer.commit_hash or "")
        ):
            raise FetchError(
                f"{what}: the answer does not come from a hub (no size or hash); check HF_ENDPOINT and the proxy"
            )
        assert answer.etag is not None
        assert answer.commit_hash is not None
        if revision is not None and answer.commit_hash != revision:
            raise FetchError(
                f"{what}: the hub sent revision {answer.commit_hash} instead of {revision}; check HF_ENDPOINT"
            )
        revision = answer.commit_hash
        sha256 = answer.etag if len(answer.etag) == _SHA256_DIGITS else None
        if known.size not in (None, answer.size):
            raise FetchError(
                f"{what}: the file on the hub has {answer.size} bytes instead of {known.size}; nothing was fetched"
            )
        if known.sha256 and sha256 and known.sha256 != sha256:
            raise FetchError(f"{what}: the file on the hub has changed (SHA-256 {sha256}); nothing was fetched")
        url = _url(entry, known.name, revision)
        files.append(RemoteFile(known.name, url, answer.size, answer.etag, known.sha256 or sha256))
    assert revision is not None
    return Offer(entry, revision, tuple(files))


def _url(entry: CatalogueEntry, name: str, revision: str) -> str:
    return hf_hub_url(entry.repo, name, repo_type=entry.kind, revision=revision, endpoint=endpoint())
