"""Client of the Hugging Face hub: looks up a catalogue entry and downloads single files. Nothing else contacts it.

The library's own download function starts over at each call, so its parts are used: `get_hf_file_metadata` for size
and hash, and `http_get` for the bytes, which resumes an interrupted transfer. HF_ENDPOINT, HF_HUB_OFFLINE and the
proxy variables of the environment are respected; no token is sent.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import logging as hub_logging

from atlas_viewer import __version__
from compute.errors import FetchError
from compute.io.system_errors import reason_of

from .catalogue import CatalogueEntry

# No compression: sizes are then those of the files, and an interrupted transfer can be resumed.
_HEADERS = {"user-agent": f"atlas-viewer/{__version__}", "accept-encoding": "identity"}
_SHA256_DIGITS = 64
# The ETag of a large file is its SHA-256, that of a small one its git SHA-1. A commit is a SHA-1, too.
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")

# The most that a broken connection loses, and the delay of `stop`; the library's 10 MiB are slow on a slow line.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
# Request only the files: with telemetry, the library looks up names of programs that it might run in.
constants.HF_HUB_DISABLE_TELEMETRY = True
hub_logging.set_verbosity(logging.ERROR)  # its warnings about retries would break our progress bar


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub offers it. `size` in bytes; `etag` is the SHA-256 of a large file, the git SHA-1 of others."""

    name: str
    url: str
    size: int
    etag: str
    sha256: str | None


@dataclass(frozen=True)
class Offer:
    """All files of a catalogue entry at one revision."""

    entry: CatalogueEntry
    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def look_up(entry: CatalogueEntry) -> Offer:
    """Ask the hub for sizes and hashes, and compare them with the catalogue. Raises `FetchError`."""
    revision = entry.revision
    files = []
    for known in entry.files:
        # The first answer names the commit of the newest revision; the other files are requested at that commit.
        url = _url(entry, known.name, revision or "main")
        with _failures_as_fetch_errors(f"{entry.repo}/{known.name}"):
            answer = get_hf_file_metadata(url, token=False, headers=dict(_HEADERS))
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


def download(
    file: RemoteFile, part: Path, progress: Callable[[int], None], stop: threading.Event | None = None
) -> None:
    """Download `file` to `part`, resuming after the bytes already there. Calls `progress` with the number of bytes.

    Returns when `part` has the size of the file; the caller checks its content. Raises `FetchError`, and keeps the
    bytes downloaded so far unless the size is wrong.
    """
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()

    class Reporter:
        """Stands in for the library's progress bar."""

        def __init__(self, *, initial: int = 0, **_others: object) -> None:
            self._done = initial

        def __enter__(self) -> Reporter:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            return None

        def update(self, count: float | None = 1) -> None:
            if stop is not None and stop.is_set():
                raise FetchError(f"{file.name}: stopped; the part downloaded so far is kept, fetch again to resume")
            self._done += int(count or 0)
            progress(self._done)

    with _failures_as_fetch_errors(file.name), part.open("ab") as target:
        try:
            http_get(
                file.url,
                target,
                resume_size=target.tell(),
                headers=dict(_HEADERS),
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=Reporter,
            )
        except OSError as error:
            if isinstance(error, HfHubHTTPError) or error.errno is not None:
                raise
            # The one error without a number: the transfer ended normally, but with the wrong size.
            target.truncate(0)
            raise FetchError(
                f"{file.name}: the download does not have {file.size} bytes and is discarded; fetch again"
            ) from None


def _url(entry: CatalogueEntry, name: str, revision: str) -> str:
    # Read at each call: the library reads the variable only once, when it is imported.
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return hf_hub_url(entry.repo, name, repo_type=entry.kind, revision=revision, endpoint=endpoint)


@contextmanager
def _failures_as_fetch_errors(what: str) -> Iterator[None]:
    """Turn errors of the library and the system into a `FetchError` that begins with `what`."""
    try:
        yield
    except OfflineModeIsEnabled:
        raise FetchError(f"{what}: HF_HUB_OFFLINE is set, so nothing is fetched; unset it and fetch again") from None
    except RevisionNotFoundError:
        raise FetchError(
            f"{what}: the hub no longer has this revision; check for a newer version of atlas-viewer"
        ) from None
    except RemoteEntryNotFoundError:
        raise FetchError(f"{what}: the hub has no such file; check for a newer version of atlas-viewer") from None
    except RepositoryNotFoundError:
        raise FetchError(f"{what}: the hub has no such repository; check for a newer version of atlas-viewer") from None
    except HfHubHTTPError as error:
        raise FetchError(
            f"{what}: the hub answered with status {error.response.status_code}; fetch again later"
        ) from None
    except httpx2.ProxyError as error:
        raise FetchError(f"{what}: the proxy refuses ({reason_of(error)}); check HTTPS_PROXY and NO_PROXY") from None
    except httpx2.TimeoutException:
        raise FetchError(
            f"{what}: the hub does not answer; the part downloaded so far is kept, fetch again to resume"
        ) from None
    except httpx2.TooManyRedirects:
        raise FetchError(f"{what}: the hub redirects endlessly; check HF_ENDPOINT and the proxy") from None
    except ValueError as error:  # the standard library raises it for addresses that it cannot parse
        raise FetchError(f"{what}: the hub gives no usable address ({reason_of(error)}); check HF_ENDPOINT") from None
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise FetchError(
            f"{what}: the connection failed ({reason_of(error)}); check network and HTTPS_PROXY, fetch again to resume"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(f"{what}: the disk is full; free some space, then fetch again to resume") from None
        raise FetchError(f"{what}: cannot be written ({reason_of(error)}); check the cache folder") from None
