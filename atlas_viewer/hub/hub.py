"""The Hugging Face hub: what it offers of a catalogue entry, and one file of it at a time. Nothing else talks to it.

The library's own download starts over when it is called again, so its parts are used: `get_hf_file_metadata` for size
and hash, `http_get` for the bytes, which goes on where it was cut off. HF_ENDPOINT, HF_HUB_OFFLINE and the proxy
variables of the environment are respected; no token is sent.
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

# No compression: sizes are then those of the files, and a transfer that was cut off can go on.
_HEADERS = {"user-agent": f"atlas-viewer/{__version__}", "accept-encoding": "identity"}
_SHA256_DIGITS = 64
# A large file's ETag is its SHA-256, a small one's the SHA-1 that git gives it; a commit is a SHA-1, too.
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")

# What a broken connection loses, and how soon `stop` is seen; the library's 10 MiB are long on a slow line.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
# Nothing is asked for but the files: otherwise the library looks up names of programs that it might run under.
constants.HF_HUB_DISABLE_TELEMETRY = True
hub_logging.set_verbosity(logging.ERROR)  # its warnings of each retry would stand among our progress


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
    """Ask the hub for sizes and hashes, and hold them against what the catalogue knows. Raises `FetchError`."""
    revision = entry.revision
    files = []
    for known in entry.files:
        # The first answer tells which commit the newest revision is; the other files are asked for at that one.
        url = _url(entry, known.name, revision or "main")
        with _telling_failures(f"{entry.repo}/{known.name}"):
            told = get_hf_file_metadata(url, token=False, headers=dict(_HEADERS))
        what = f"{entry.repo}/{known.name}"
        if told.size is None or not _ETAG.fullmatch(told.etag or "") or not _COMMIT.fullmatch(told.commit_hash or ""):
            raise FetchError(f"{what}: the answer is not the hub's (no size or hash); check HF_ENDPOINT and the proxy")
        assert told.etag is not None
        assert told.commit_hash is not None
        if revision is not None and told.commit_hash != revision:
            raise FetchError(f"{what}: the hub has revision {told.commit_hash}, {revision} was asked for")
        revision = told.commit_hash
        sha256 = told.etag if len(told.etag) == _SHA256_DIGITS else None
        if known.size not in (None, told.size):
            raise FetchError(f"{what}: the hub has {told.size} bytes, it must be {known.size}; nothing was fetched")
        if known.sha256 and sha256 and known.sha256 != sha256:
            raise FetchError(f"{what}: the hub has another file (SHA-256 {sha256}); nothing was fetched")
        url = _url(entry, known.name, revision)
        files.append(RemoteFile(known.name, url, told.size, told.etag, known.sha256 or sha256))
    assert revision is not None
    return Offer(entry, revision, tuple(files))


def download(
    file: RemoteFile, part: Path, progress: Callable[[int], None], stop: threading.Event | None = None
) -> None:
    """Bring `file` to `part`, going on after what is there. `progress` is told how many bytes are there now.

    Returns when it has its size; whether it is the right content is for the caller to check. Raises `FetchError`; then
    `part` keeps what arrived, unless that has another size than it must have.
    """
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()

    class Reporter:
        """What the library believes to be a progress bar."""

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
                raise FetchError(f"{file.name}: stopped; what arrived is kept, fetch again to go on")
            self._done += int(count or 0)
            progress(self._done)

    with _telling_failures(file.name), part.open("ab") as target:
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
            # The one error without a number: a transfer that ended well, but brought another size.
            target.truncate(0)
            raise FetchError(
                f"{file.name}: arrived with another size than {file.size} bytes and is thrown away; fetch again"
            ) from None


def _url(entry: CatalogueEntry, name: str, revision: str) -> str:
    # The variable is read here, and not where the library does it: once, when it is imported.
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return hf_hub_url(entry.repo, name, repo_type=entry.kind, revision=revision, endpoint=endpoint)


@contextmanager
def _telling_failures(what: str) -> Iterator[None]:
    """Turn what the library and the system say into a `FetchError` that begins with `what`."""
    try:
        yield
    except OfflineModeIsEnabled:
        raise FetchError(f"{what}: HF_HUB_OFFLINE is set, nothing is fetched; unset it and fetch again") from None
    except RevisionNotFoundError:
        raise FetchError(
            f"{what}: the hub has not this revision any more; see whether atlas-viewer is up to date"
        ) from None
    except RemoteEntryNotFoundError:
        raise FetchError(f"{what}: the hub has no such file; see whether atlas-viewer is up to date") from None
    except RepositoryNotFoundError:
        raise FetchError(f"{what}: the hub has no such repository; see whether atlas-viewer is up to date") from None
    except HfHubHTTPError as error:
        raise FetchError(
            f"{what}: the hub answers with status {error.response.status_code}; fetch again later"
        ) from None
    except httpx2.ProxyError as error:
        raise FetchError(f"{what}: the proxy refuses ({reason_of(error)}); check HTTPS_PROXY and NO_PROXY") from None
    except httpx2.TimeoutException:
        raise FetchError(f"{what}: the hub does not answer; what arrived is kept, fetch again to go on") from None
    except httpx2.TooManyRedirects:
        raise FetchError(
            f"{what}: the hub sends from address to address for ever; check HF_ENDPOINT and the proxy"
        ) from None
    except ValueError as error:  # also of the standard library, for what cannot be parsed
        raise FetchError(f"{what}: the hub names no usable address ({reason_of(error)}); check HF_ENDPOINT") from None
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise FetchError(
            f"{what}: the connection fails ({reason_of(error)}); check network and HTTPS_PROXY,"
            " then fetch again to go on"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(f"{what}: the disk is full; free some space, then fetch again to go on") from None
        raise FetchError(f"{what}: cannot be written ({reason_of(error)}); check the cache folder") from None
