"""The recordings opened or made most recently. Plain functions of a list of absolute paths, newest first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

KEPT = 10


def with_newest(recent: Sequence[str], path: str | Path) -> list[str]:
    """`recent` with `path` as its first entry, without duplicates and with at most `KEPT` entries."""
    newest = os.path.abspath(path)
    return [newest, *(other for other in recent if other != newest)][:KEPT]


def labels(recent: Sequence[str]) -> list[str]:
    """A short name for each path: the file's name, with the folder where two names are equal."""
    names = [os.path.basename(path) for path in recent]
    return [
        f"{name}  ({os.path.dirname(path)})" if names.count(name) > 1 else name
        for name, path in zip(names, recent, strict=True)
    ]


def missing(recent: Sequence[str]) -> set[str]:
    """The paths at which there is no file now."""
    return {path for path in recent if not os.path.isfile(path)}
