"""Folders for inputs that the program reads from files: in memory, if the system offers a file system there."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "ATLAS_VIEWER_FUZZ_FOLDER"
"""The worker's folder. Whoever starts the worker removes the folder, because a crashing worker cannot."""


def parent_folder() -> str | None:
    """The best parent for temporary folders."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@cache
def folder() -> Path:
    """An empty folder for this process."""
    return Path(tempfile.mkdtemp(prefix="atlas-fuzz-", dir=os.environ.get(VARIABLE) or parent_folder()))
