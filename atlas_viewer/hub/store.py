"""Fetched models on the disk: a folder for each with a note, `fetched.json`, of what came from where."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from compute.io.untrusted_json import read_untrusted_json
from compute.weights.model_cache import models_folder

NOTE = "fetched.json"
_BLOCK = 4 << 20


@dataclass(frozen=True)
class StoredFile:
    """A file that was fetched: its size in bytes and the hash that it had."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Note:
    """What `fetched.json` says."""

    name: str
    repo: str
    revision: str
    licence: str
    files: tuple[StoredFile, ...]

    def text(self) -> str:
        """The file's content."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_note(folder: Path) -> Note | None:
    """The note in `folder`; None when there is none that can be read."""
    try:
        return msgspec.convert(read_untrusted_json((folder / NOTE).read_bytes()), Note)
    except (OSError, ValueError, msgspec.ValidationError):
        return None


def state(name: str) -> str:
    """How model `name` is here: "absent", "fetched", or "damaged" when a file of it is gone or of another size."""
    folder = models_folder() / name
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
    """What is wrong with the files of the fetched model `name`, a line for each; reads them all."""
    folder = models_folder() / name
    note = read_note(folder)
    if note is None:
        return [f"{folder / NOTE}: cannot be read"]
    found = []
    for file in note.files:
        path = folder / file.name
        if not path.is_file():
            found.append(f"{path}: is gone")
        elif path.stat().st_size != file.size:
            found.append(f"{path}: has {path.stat().st_size} bytes, {file.size} were fetched")
        elif sha256_of(path) != file.sha256:
            found.append(f"{path}: is not what was fetched, its SHA-256 differs")
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """The hash that git names the file's content by, in hexadecimal."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
