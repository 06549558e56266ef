"""Atomic writing of every file and folder that the program writes, with or without replacing an existing file.

Content is written to a hidden temporary folder next to the target, flushed to disk, and then given the target's name
in one step: by a rename, which replaces a file, or by a hard link, which does not. When anything fails, or when Ctrl+C,
SIGTERM or SIGHUP ends the program, the target is unchanged and the temporary folder is removed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from compute.errors import OutputError, OutputExistsError

from .escape import one_line
from .held_signals import held_signals
from .placing import link, merge, move_below, sync, sync_folder, sync_tree
from .system_errors import write_errors_as
from .temporary_folder import temporary_folder


@contextmanager
def output_path(path: Path | str) -> Iterator[Path]:
    """Yield the path of an empty temporary file with the same suffix, which then replaces `path`.

    When the body raises, `path` is unchanged. A symbolic link is kept and its target replaced; a device or pipe such as
    /dev/stdout is written to. The body should only write the file: an `OSError` that it raises is reported as a failure
    to write to this path.

    Raises `OutputError` when the path cannot be written to.
    """
    target = Path(path)
    with write_errors_as(OutputError, one_line(target)):
        mode = _mode_of(target)
        real = Path(os.path.realpath(target))
        if mode is None or stat.S_ISREG(mode):
            with _temporary_file(real) as temporary:
                yield temporary
                sync(temporary)
                if mode is not None:
                    temporary.chmod(stat.S_IMODE(mode))
                temporary.replace(real)
            _confirm(real, real.parent)
        else:
            import shutil  # imported late, because only devices and pipes need them
            import tempfile

            with _temporary_file(Path(tempfile.gettempdir()) / "output") as temporary:
                yield temporary
                with temporary.open("rb") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)


@contextmanager
def new_path(path: Path | str, another: Callable[[], Path] | None = None) -> Iterator[Path]:
    """Like `output_path`, but never replaces a file at `path`, even one that appears while the body runs.

    another: returns the next path to try if the last one exists; without it, an existing file raises
    `OutputExistsError`.
    """
    target = Path(path)
    if another is None and os.path.lexists(target):
        raise _exists(target)
    with write_errors_as(OutputError, one_line(target)):
        _mode_of(target)  # called only for its errors
        with _temporary_file(target) as temporary:
            yield temporary
            sync(temporary)
            while True:
                try:
                    link(temporary, target)
                    break
                except FileExistsError:
                    if another is None:
                        raise _exists(target) from None
                    target = another()
        _confirm(target, target.parent)


@contextmanager
def output_file(path: Path | str) -> Iterator[BinaryIO]:
    """Like `output_path`, but yields an open file."""
    with output_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def new_file(path: Path | str) -> Iterator[BinaryIO]:
    """Like `new_path`, but yields an open file."""
    with new_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_output(path: Path | str, data: bytes) -> None:
    """Write `data` to `path` atomically. Raises `OutputError` when it cannot be written."""
    with output_file(path) as file:
        file.write(data)


def write_new_output(path: Path | str, data: bytes, another: Callable[[], Path] | None = None) -> None:
    """Write `data` to `path` atomically, without ever replacing a file. another, errors: as for `new_path`."""
    with new_path(path, another) as temporary, temporary.open("wb") as file:
        file.write(data)


class OutputFolder:
    """A folder that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """A new file in the folder, open for writing."""
        with (self._path / name).open("xb") as file:
            yield file


@contextmanager
def output_folder(path: Path, named: Path | None = None) -> Iterator[OutputFolder]:
    """Yield a temporary folder whose files are then moved to `path`; when the body raises, nothing changes.

    A folder that exists at `path` keeps its other files. Missing parent folders are created. named: the path to show
    in error messages instead of `path`. Raises `OutputError`, even for an `OSError` raised in the body.
    """
    name = one_line(named or path)
    above = path
    while not os.path.isdir(above):
        if os.path.lexists(above):
            reason = f"{one_line(above.name)} is not a folder"
            raise OutputError(f"{name}: cannot be written ({reason}); choose another path")
        above = above.parent
    with write_errors_as(OutputError, name):
        with temporary_folder(above) as temporary:
            written = temporary / "files"
            written.mkdir()
            yield OutputFolder(written)
            sync_tree(written)
            with held_signals():
                if above == path:
                    merge(written, path, temporary / "before")
                else:
                    move_below(written, path, above)
        _confirm(path, path if above == path else path.parent)


def free_name(stem: str, suffix: str) -> str:
    """`stem`-N`suffix`, with the smallest N from 1 on for which no such file exists in the current folder."""
    number = 1
    while os.path.lexists(f"{stem}-{number}{suffix}"):
        number += 1
    return f"{stem}-{number}{suffix}"


# -- errors


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{one_line(path)}: already exists and is never replaced; choose another path")


def _confirm(path: Path, folder: Path) -> None:
    """Flush the file names in `folder` to disk after writing `path`. Raises `OutputError`; the files are kept."""
    problem = "was written, but the disk did not confirm its name"
    with write_errors_as(OutputError, one_line(path), "check the disk", problem):
        sync_folder(folder)


# -- before the rename


def _mode_of(target: Path) -> int | None:
    """File type and permissions of `target`; None if it does not exist."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.name:
            raise
        return None
    except ValueError as error:  # a null byte
        raise OSError(0, str(error)) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    return mode


@contextmanager
def _temporary_file(target: Path) -> Iterator[Path]:
    """An empty file with the suffix of `target` in a temporary folder next to it."""
    if not target.parent.is_dir() and not os.path.lexists(target.parent):
        raise FileNotFoundError(0, f"there is no folder {one_line(target.parent)}")
    with temporary_folder(target.parent) as folder:
        path = folder / f"output{target.suffix[:10]}"  # some writers choose the format by the suffix
        # 0o666, so that the user's umask applies, as it does to any new file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield path
