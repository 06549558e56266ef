"""How the API opens a model's file, and whether it is still the same file later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from compute.weights.checkpoint import WeightSource

Opener: TypeAlias = Callable[[], WeightSource]


def stamp(path: Path | None) -> tuple[int, int] | None:
    """Size in bytes and time of the last change of a file; None where there is none."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return None if status is None else (status.st_size, status.st_mtime_ns)
