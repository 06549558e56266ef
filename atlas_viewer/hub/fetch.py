"""Downloads a model. Checks the disk space first and every file afterwards, and never leaves an incomplete model in
place."""

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
from compute.weights.hugging_face_config import read_config
from compute.weights.model_cache import model_folder, models_folder

from .download import download
from .list_files import CONFIG, WEIGHTS
from .offer import Offer, RemoteFile
from .store import NOTE, Note, StoredFile, git_sha1_of, sha256_of

_PARTIAL = ".partial"  # folder of unfinished downloads, inside the models folder

Progress = Callable[[int, int], None]
"""Called with the number of bytes downloaded so far and the total."""


def free_bytes() -> int:
    """Free space where models are kept, in bytes."""
    folder = models_folder()
    while not os.path.exists(folder):
        folder = folder.parent
    return shutil.disk_usage(folder).free


def missing_bytes(offer: Offer) -> int:
    """Bytes of `offer` that have not been downloaded yet."""
    return offer.size - sum(_present(_staging(offer), file) for file in offer.files)


def fetch(offer: Offer, progress: Progress | None = None, stop: threading.Event | None = None) -> Path:
    """Download every file of `offer` and return the model's folder, which appears complete or not at all.

    progress: called often, in the calling thread. stop: once set, the call soon ends with a `FetchError`; what has been
    downloaded is kept, and the next call resumes there. Raises `FetchError` if there is too little disk space, the hub
    cannot be reached, or a file differs from the offer, `CheckpointError` for a model that cannot run here.
    """
    name = offer.entry.name
    staging = _staging(offer)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(staging.with_name(f"{model_folder(name).name}.lock"), timeout=0):
            _check_space(offer)
            stored = []
            for file in offer.files:
                if not offer.entry.files and file.name.endswith(WEIGHTS):
                    read_config(staging / CONFIG)  # before gigabytes are fetched that cannot run
                stored.append(_fetch_file(offer, file, staging, progress, stop))
            note = Note(name, offer.entry.repo, offer.revision, offer.entry.licence, tuple(stored))
            (staging / NOTE).write_text(note.text(), "utf-8")
            return _put_in_place(staging, model_folder(name))
    except filelock.Timeout:
        raise FetchError(f"{name}: is already being fetched; wait until that has finished") from None
    except OSError as error:
        raise FetchError(
            f"{one_line(models_folder())}: cannot be written to ({reason_of(error)}); free some space or change its"
            " permissions"
        ) from None


def _fetch_file(
    offer: Offer, file: RemoteFile, staging: Path, progress: Progress | None, stop: threading.Event | None
) -> StoredFile:
    whole, part = staging / file.name, _part(staging, file)
    before = sum(earlier.size for earlier in offer.files[: offer.files.index(file)])

    def report(done: int) -> None:
        if progress is not None:
            progress(before + done, offer.size)

    if whole.exists():  # from an earlier call that stopped at a later file
        part = whole
    else:
        download(file, part, report, stop)
    report(file.size)
    sha256 = _checked(file, part)
    put_in_place(part, whole)
    return StoredFile(file.name, file.size, sha256)


def _checked(file: RemoteFile, path: Path) -> str:
    """The SHA-256 of the file at `path`. If it is not the offered file, it is removed and `FetchError` is raised."""
    size, sha256 = path.stat().st_size, sha256_of(path)
    wrong = ""
    if size != file.size:
        wrong = f"has {size} bytes, not {file.size}"
    elif file.sha256 is not None and sha256 != file.sha256:
        wrong = "has the wrong SHA-256"
    elif file.sha256 is None and git_sha1_of(path) != file.etag:
        wrong = "has a hash that differs from the one the hub announced"
    if wrong:
        path.unlink()
        raise FetchError(f"{file.name}: {wrong}; the download was discarded, so fetch again")
    return sha256


def _check_space(offer: Offer) -> None:
    needed, free = missing_bytes(offer), free_bytes()
    if needed > free:
        raise FetchError(
            f"{one_line(models_folder())}: {offer.entry.name} needs {needed / 1e6:,.0f} MB,"
            f" but its disk has only {free / 1e6:,.0f} MB free; free some space"
        )


def _staging(offer: Offer) -> Path:
    return models_folder() / _PARTIAL / f"{model_folder(offer.entry.name).name}-{offer.revision[:12]}"


def _part(staging: Path, file: RemoteFile) -> Path:
    # Named after its content, so that no transfer resumes with part of another file.
    return staging / f"{file.name}.{file.etag[:16]}.part"


def _present(staging: Path, file: RemoteFile) -> int:
    for path in (staging / file.name, _part(staging, file)):
        if path.exists():
            return min(path.stat().st_size, file.size)
    return 0


def _put_in_place(staging: Path, folder: Path) -> Path:
    for leftover in staging.glob("*.part"):  # of other revisions of a file
        leftover.unlink()
    put_in_place(staging, folder)  # replaces an existing folder, which is damaged or was fetched in the meantime
    return folder
