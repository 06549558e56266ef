"""Bringing a model here: space checked before, every file checked after, and no half model where one is looked for."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import filelock

from compute.errors import FetchError
from compute.io.escape import one_line
from compute.io.placing import put_in_place
from compute.io.system_errors import reason_of
from compute.weights.model_cache import models_folder

from .hub import Offer, RemoteFile, download
from .store import NOTE, Note, StoredFile, git_sha1_of, sha256_of

_PARTIAL = ".partial"  # below the models: what is on its way

Progress = Callable[[int, int], None]
"""Told how many bytes are here, and of how many."""


def free_bytes() -> int:
    """Free space where models are kept, in bytes."""
    folder = models_folder()
    while not os.path.exists(folder):
        folder = folder.parent
    return shutil.disk_usage(folder).free


def missing_bytes(offer: Offer) -> int:
    """What is still to come of `offer`, in bytes."""
    return offer.size - sum(_here(_staging(offer), file) for file in offer.files)


def fetch(offer: Offer, progress: Progress | None = None, stop: threading.Event | None = None) -> Path:
    """Bring every file of `offer` and return the model's folder, which appears whole or not at all.

    progress is called often, from the calling thread; setting `stop` ends it soon with a `FetchError`. What arrived by
    then is kept, and the next call goes on from there. Raises `FetchError` when there is no space, the hub cannot be
    reached, or a file is not the one that was offered.
    """
    name = offer.entry.name
    staging = _staging(offer)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(staging.with_name(f"{name}.lock"), timeout=0):
            _check_space(offer)
            stored = [_fetch_file(offer, file, staging, progress, stop) for file in offer.files]
            note = Note(name, offer.entry.repo, offer.revision, offer.entry.licence, tuple(stored))
            (staging / NOTE).write_text(note.text(), "utf-8")
            return _put_in_place(staging, models_folder() / name)
    except filelock.Timeout:
        raise FetchError(f"{name}: is being fetched already; wait for that") from None
    except OSError as error:
        raise FetchError(
            f"{one_line(models_folder())}: cannot be written ({reason_of(error)}); make room or change its permissions"
        ) from None


def _fetch_file(
    offer: Offer, file: RemoteFile, staging: Path, progress: Progress | None, stop: threading.Event | None
) -> StoredFile:
    whole, part = staging / file.name, _part(staging, file)
    before = sum(each.size for each in offer.files[: offer.files.index(file)])

    def told(done: int) -> None:
        if progress is not None:
            progress(before + done, offer.size)

    if whole.exists():  # from a call before, which was stopped at a later file
        part = whole
    else:
        download(file, part, told, stop)
    told(file.size)
    sha256 = _checked(file, part)
    put_in_place(part, whole)
    return StoredFile(file.name, file.size, sha256)


def _checked(file: RemoteFile, path: Path) -> str:
    """The SHA-256 of what arrived at `path`; `FetchError`, and the file is gone, when it is not what was offered."""
    size, sha256 = path.stat().st_size, sha256_of(path)
    wrong = ""
    if size != file.size:
        wrong = f"has {size} bytes, not {file.size}"
    elif file.sha256 is not None and sha256 != file.sha256:
        wrong = "has another SHA-256 than it must have"
    elif file.sha256 is None and git_sha1_of(path) != file.etag:
        wrong = "has another hash than the hub says"
    if wrong:
        path.unlink()
        raise FetchError(f"{file.name}: {wrong}; what arrived is thrown away, fetch again")
    return sha256


def _check_space(offer: Offer) -> None:
    needed, free = missing_bytes(offer), free_bytes()
    if needed > free:
        raise FetchError(
            f"{one_line(models_folder())}: {offer.entry.name} needs {needed / 1e6:,.0f} MB,"
            f" its disk has {free / 1e6:,.0f} MB free; make room"
        )


def _staging(offer: Offer) -> Path:
    return models_folder() / _PARTIAL / f"{offer.entry.name}-{offer.revision[:12]}"


def _part(staging: Path, file: RemoteFile) -> Path:
    # Named after the content, so that a transfer never goes on with a file of another one.
    return staging / f"{file.name}.{file.etag[:16]}.part"


def _here(staging: Path, file: RemoteFile) -> int:
    for path in (staging / file.name, _part(staging, file)):
        if path.exists():
            return min(path.stat().st_size, file.size)
    return 0


def _put_in_place(staging: Path, folder: Path) -> Path:
    for leftover in staging.glob("*.part"):  # of other content
        leftover.unlink()
    put_in_place(staging, folder)  # of what may be there: damaged, or fetched meanwhile
    return folder
