"""What a command may write to: told before anything is done, so that nothing is lost and no time is spent in vain."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from atlas_viewer.recording.safe_open import beside, is_session
from compute.errors import OutputError, UsageError
from compute.io.escape import one_line
from compute.io.system_errors import reason_of
from compute.weights.checkpoint import model_files

from .shared import model_spec


def check_target(path: Path, reads: Iterable[Path] = (), suffix: str = "") -> None:
    """Raise `OutputError` when `path` clearly cannot be written, or must not be.

    reads: files that the command reads; they are not replaced, nor is any recording. A device or a pipe may be both.
    suffix: what the name has to end in; of a device or pipe it need not. Raises `UsageError` when it does not.
    """
    status, shown = _status(path), one_line(path)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{shown}: cannot be written (it is a folder); name a file")
    if status is not None and not stat.S_ISREG(status.st_mode):
        return
    # Behind a link, such as /dev/stdout, it is the folder there that is written to.
    folder = (Path(os.path.realpath(path)) if os.path.islink(path) else path).parent
    if not os.path.isdir(folder):
        raise OutputError(
            f"{shown}: cannot be written (there is no folder {one_line(folder)}); make it or choose another path"
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{shown}: cannot be written (the folder is read-only); choose another path")
    if suffix and path.suffix.lower() != suffix and path.parts[:2] != ("/", "dev"):
        raise UsageError(f"{shown}: what is written is {suffix[1:].upper()}; give a name that ends in {suffix}")
    check_replaced(path, reads)


def check_folder(path: Path) -> None:
    """Raise `OutputError` when there can be no folder at `path`."""
    status = _status(path)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{one_line(path)}: is no folder; name one")


def check_replaced(path: Path, reads: Iterable[Path] = ()) -> None:
    """Raise `OutputError` when a file at `path` would be lost: one of `reads`, under whatever name, or a recording."""
    status = _status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    shown = one_line(path)
    for read in reads:
        if _same(path, read):
            raise OutputError(f"{shown}: is what this command reads; choose another path for what it writes")
    if is_session(path) or _is_log(path):
        raise OutputError(f"{shown}: is a recording, which nothing else replaces; choose another path")


def generation_files(arguments: argparse.Namespace) -> list[Path]:
    """What a command reads that writes text: files of the model, and standard input for the prompt `-`.

    Raises `CheckpointError` when there is no such model.
    """
    files = model_files(model_spec(arguments))
    if arguments.prompt == "-" and sys.platform != "win32":
        files.append(Path("/dev/stdin"))
    return files


def make_recordings(*paths: Path) -> list[Path]:
    """The files of sessions: each with its log, which holds what was recorded last."""
    return [file for path in paths for file in (path, *beside(path))]


def _status(path: Path) -> os.stat_result | None:
    """What is at `path`, behind links; None when nothing is. Raises `OutputError` when there can be nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{one_line(path)}: cannot be written ({reason_of(error)}); choose another path") from None


def _is_log(path: Path) -> bool:
    """True for a file that belongs to a recording beside it."""
    recording = Path(str(path).rpartition("-")[0])
    return path in beside(recording) and is_session(recording)


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # a file that is not there is no input either
        return False
