"""Every file and folder that the program writes: whole or not at all, and never in the place of what must stay.

Content is written to a hidden temporary folder next to the target, flushed to the disk, and then takes the target's
name in one step: by a rename, which replaces, or by a hard link, which does not. When anything fails, or Ctrl+C,
SIGTERM or SIGHUP ends the program, the target is as it was and the temporary folder is gone.
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
    """Give the path of an empty temporary file of the same suffix; what is written there takes the place of `path`.

    When the body raises, `path` is as it was. A symbolic link stays and its target is replaced; a device or pipe such
    as /dev/stdout is written to. The body only writes the file: an `OSError` from it is reported as this path's.

    Raises `OutputError` when the path cannot be written.
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
            import shutil  # here, because only devices and pipes need them
            import tempfile

            with _temporary_file(Path(tempfile.gettempdir()) / "output") as temporary:
                yield temporary
                with temporary.open("rb") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)


@contextmanager
def new_path(path: Path | str, another: Callable[[], Path] | None = None) -> Iterator[Path]:
    """As `output_path`, but whatever is at `path` stays, also when it appears while the body runs.

    another: gives the next path to try when one is taken, however late; without it, that raises `OutputExistsError`.
    """
    target = Path(path)
    if another is None and os.path.lexists(target):
        raise _taken(target)
    with write_errors_as(OutputError, one_line(target)):
        _mode_of(target)  # for its errors
        with _temporary_file(target) as temporary:
            yield temporary
            sync(temporary)
            while True:
                try:
                    link(temporary, target)
                    break
                except FileExistsError:
                    if another is None:
                        raise _taken(target) from None
                    target = another()
        _confirm(target, target.parent)


@contextmanager
def output_file(path: Path | str) -> Iterator[BinaryIO]:
    """`output_path` as an open file."""
    with output_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_output(path: Path | str, data: bytes) -> None:
    """Write `data` to `path` whole or not at all. Raises `OutputError` when it cannot be written."""
    with output_file(path) as file:
        file.write(data)


class OutputFolder:
    """The files of a folder that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """A new file of the folder, open for writing."""
        with (self._path / name).open("xb") as file:
            yield file


@contextmanager
def output_folder(path: Path, named: Path | None = None) -> Iterator[OutputFolder]:
    """Give a folder whose files are at `path` at the end; when the body raises, everything is as it was.

    Where there is a folder at `path`, it keeps what is in it, except for files of the same names. Missing folders above
    it are made. named: what errors speak of instead of `path`. Raises `OutputError`, for an `OSError` of the body too.
    """
    name = one_line(named or path)
    above = path
    while not os.path.isdir(above):
        if os.path.lexists(above):
            raise OutputError(f"{name}: cannot be written ({one_line(above.name)} is no folder); choose another path")
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
    """`stem`-1`suffix`, or the next number that no file in the current folder has."""
    number = 1
    while os.path.lexists(f"{stem}-{number}{suffix}"):
        number += 1
    return f"{stem}-{number}{suffix}"


# -- errors


def _taken(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{one_line(path)}: is there already and is never replaced; choose another path")


def _confirm(path: Path, folder: Path) -> None:
    """Flush the names in `folder` to the disk, for what was written to `path`. Raises `OutputError`; the files stay."""
    problem = "is written, but its disk does not confirm the name"
    with write_errors_as(OutputError, one_line(path), "check the disk", problem):
        sync_folder(folder)


# -- before the name


def _mode_of(target: Path) -> int | None:
    """The type and permissions of what is at `target`, None when there is nothing."""
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
    """An empty file of the suffix of `target` in a temporary folder beside it."""
    if not target.parent.is_dir() and not os.path.lexists(target.parent):
        raise FileNotFoundError(0, f"there is no folder {one_line(target.parent)}")
    with temporary_folder(target.parent) as folder:
        path = folder / f"output{target.suffix[:10]}"  # by which some writers choose the format
        # Plain 0o666: the user's umask decides, as for any file a program makes.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield path
