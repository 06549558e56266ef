"""Fetched models on disk: one folder each, with a note, `fetched.json`, about the source and the files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from compute.io.untrusted_json import read_untrusted_json
from compute.weights.model_cache import is_repository, model_folder, models_folder

NOTE = "fetched.json"
_BLOCK = 4 << 20


@dataclass(frozen=True)
class StoredFile:
    """A fetched file, with its size in bytes and its hash when it was fetched."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Note:
    """The contents of `fetched.json`."""

    name: str
    repo: str
    revision: str
    licence: str
    files: tuple[StoredFile, ...]

    def text(self) -> str:
        """The note as JSON text."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_note(folder: Path) -> Note | None:
    """The note in `folder`; None if it is missing or unreadable."""
    try:
        return msgspec.convert(read_untrusted_json((folder / NOTE).read_bytes()), Note)
    except (OSError, ValueError, msgspec.ValidationError):
        return None


def others(catalogue: Container[str]) -> list[Note]:
    """The notes of fetched models that are not in the catalogue, in the order of their names."""
    folder = models_folder()
    notes = [read_note(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [note for note in notes if note is not None and note.name not in catalogue and is_repository(note.name)]


def state(name: str) -> str:
    """The state of model `name`: "absent", "fetched", or "damaged" if a file is missing or has the wrong size."""
    folder = model_folder(name)
    if not os.path.isdir(folder):
        return "absent"
    note = read_note(folder)
    if note is None:
        return "damaged"
    for file in note.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.size:
            return "damaged"
    return "fetched"


def damage(name: str) -> list[str]:
    """One line for each damaged file of the fetched model `name`. Reads all files."""
    folder = model_folder(name)
    note = read_note(folder)
    if note is None:
        return [f"{folder / NOTE}: cannot be read"]
    damages = []
    for file in note.files:
        path = folder / file.name
        if not path.is_file():
            damages.append(f"{path}: is missing")
        elif path.stat().st_size != file.size:
            damages.append(f"{path}: has {path.stat().st_size} bytes instead of {file.size}")
        elif sha256_of(path) != file.sha256:
            damages.append(f"{path}: has changed since it was fetched (its SHA-256 differs)")
    return damages


def sha256_of(path: Path) -> str:
    """A file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """The hash that git computes for a file's content, in hexadecimal."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
