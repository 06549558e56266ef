"""Where inputs lie that the program reads from a file: in memory, where the system has such a place."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "ATLAS_VIEWER_FUZZ_FOLDER"
"""Names the folder to a worker; whoever starts the worker removes it, since a crash leaves no time to."""


def parent_folder() -> str | None:
    """The folder that temporary ones are best made in."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@cache
def folder() -> Path:
    """An empty folder of this process."""
    return Path(tempfile.mkdtemp(prefix="atlas-fuzz-", dir=os.environ.get(VARIABLE) or parent_folder()))
