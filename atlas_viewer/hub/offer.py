"""What the hub offers for a model: its files, with their sizes and hashes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .catalogue import CatalogueEntry


@dataclass(frozen=True)
class RemoteFile:
    """A file that the hub offers. `size` is in bytes; `etag` is a large file's SHA-256, or any other's git SHA-1."""

    name: str
    url: str
    size: int
    etag: str
    sha256: str | None
    token: str | None = field(default=None, repr=False)  # to send with the request


@dataclass(frozen=True)
class Offer:
    """All files of a catalogue entry at one revision."""

    entry: CatalogueEntry
    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Total bytes of all files."""
        return sum(file.size for file in self.files)
