"""Opens a folder in the desktop's file manager, without waiting for it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from compute.errors import OutputError
from compute.io.escape import one_line

_OPENERS = {"linux": "xdg-open", "darwin": "open"}
_started: list[subprocess.Popen[bytes]] = []  # openers that may still be running


@functools.cache
def problem() -> str:
    """Why no folder can be opened, as shown to the user; empty where it can."""
    opener = _OPENERS.get(sys.platform, "")
    if opener and shutil.which(opener) is None:
        return f"{opener} is not installed; copy the path instead."
    return ""


def open_folder(path: Path) -> None:
    """Show the folder in the file manager. Raises `OutputError` if the program for that cannot be started."""
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            _started[:] = [opener for opener in _started if opener.poll() is None]
            opener = subprocess.Popen(
                [_OPENERS.get(sys.platform, "xdg-open"), str(path)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            _started.append(opener)
    except OSError as error:
        raise OutputError(f"{one_line(path)}: the folder cannot be opened ({error.strerror})") from error
