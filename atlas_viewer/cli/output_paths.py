"""Checks a command's output paths up front, so that nothing is lost and no work is wasted."""

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

from .edits import edit_files
from .shared import model_spec


def check_target(path: Path, reads: Iterable[Path] = (), *suffixes: str) -> None:
    """Raise `OutputError` if `path` clearly cannot or must not be written to.

    reads: files that the command reads. Neither they nor any recording may be replaced; devices and pipes may still be
    written to. suffixes: allowed endings of the name, except for a device or pipe; another ending raises `UsageError`.
    """
    status, shown = _status(path), one_line(path)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{shown}: cannot be written (it is a folder); give the path of a file")
    if status is not None and not stat.S_ISREG(status.st_mode):
        return
    # For a link, such as /dev/stdout, what matters is the folder of its target.
    folder = (Path(os.path.realpath(path)) if os.path.islink(path) else path).parent
    if not os.path.isdir(folder):
        raise OutputError(
            f"{shown}: cannot be written (there is no folder {one_line(folder)}); create it or choose another path"
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{shown}: cannot be written (the folder is read-only); choose another path")
    if suffixes and path.suffix.lower() not in suffixes and path.parts[:2] != ("/", "dev"):
        kinds, endings = " or ".join(suffix[1:].upper() for suffix in suffixes), " or ".join(suffixes)
        raise UsageError(f"{shown}: the output is {kinds}; give a name that ends in {endings}")
    check_replaced(path, reads)


def check_folder(path: Path) -> None:
    """Raise `OutputError` if `path` exists and is not a folder."""
    status = _status(path)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{one_line(path)}: is not a folder; give the path of one")


def check_replaced(path: Path, reads: Iterable[Path] = ()) -> None:
    """Raise `OutputError` if writing to `path` would replace a recording, or one of `reads` by another name."""
    status = _status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    shown = one_line(path)
    for read in reads:
        if _same(path, read):
            raise OutputError(f"{shown}: this command reads it; choose another path for the output")
    if is_session(path) or _is_log(path):
        raise OutputError(f"{shown}: is a recording, and recordings are never replaced; choose another path")


def generation_files(arguments: argparse.Namespace) -> list[Path]:
    """The files that a generation reads: those of the model and the edits, and standard input if the prompt is `-`.

    Raises `CheckpointError` if the model does not exist, `UsageError` for an edit that is not one.
    """
    files = [*model_files(model_spec(arguments)), *edit_files(getattr(arguments, "edit", ()))]
    if arguments.prompt == "-" and sys.platform != "win32":
        files.append(Path("/dev/stdin"))
    return files


def recording_files(*paths: Path) -> list[Path]:
    """The recordings' files, including the write-ahead logs, which contain the latest steps."""
    return [file for path in paths for file in (path, *beside(path))]


def _status(path: Path) -> os.stat_result | None:
    """The status of `path` after following links; None if it does not exist. Raises `OutputError` if it is unusable."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{one_line(path)}: cannot be written ({reason_of(error)}); choose another path") from None


def _is_log(path: Path) -> bool:
    """True for a recording's write-ahead log or its index."""
    recording = Path(str(path).rpartition("-")[0])
    return path in beside(recording) and is_session(recording)


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # a missing file is not an input
        return False
