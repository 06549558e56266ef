"""How the API and the command line load a model, and whether its file is still the same later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.weights.checkpoint import WeightSource

Opener: TypeAlias = Callable[[], WeightSource]


def engine_of(source: WeightSource, options: LoadOptions) -> Engine:
    """The engine of an open model, whose file is closed, whether loading succeeds or not. Raises `AtlasError`s."""
    try:
        return Engine.load(source, options)
    finally:
        source.close()


def stamp(path: Path | None) -> tuple[int, int] | None:
    """Size in bytes and time of the last change of a file; None where there is none."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return None if status is None else (status.st_size, status.st_mtime_ns)
