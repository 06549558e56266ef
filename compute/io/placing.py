"""Flushes finished files to disk and moves them to their final names in one step."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .held_signals import held_signals
from .temporary_folder import temporary_folder

# Errors of file systems without hard links, such as FAT and some network file systems.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
# Errors of file systems that cannot flush a folder, or do not need to.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM}


def sync(path: Path) -> None:
    """Flush the content of a file to disk, before a name points to it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Flush the files in a folder, and their names, to disk."""
    for path in sorted(folder.iterdir()):
        sync_tree(path) if path.is_dir() else sync(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush the file names in a folder to disk."""
    if os.name == "nt":  # Windows cannot open folders
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # the folder is writable but not readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def put_in_place(source: Path, target: Path) -> None:
    """Rename the finished file or folder `source` to `target`, replacing any existing one.

    Raises `OSError`; both are then unchanged.
    """
    if not source.is_dir():
        sync(source)
        source.replace(target)
    else:
        sync_tree(source)
        if not os.path.lexists(target):
            source.rename(target)
        else:
            _exchange(source, target)
    sync_folder(target.parent)


def set_aside(path: Path, names: Iterator[Path]) -> Path:
    """Rename the file at `path` to the first free one of `names`, and return that name. Raises `OSError`."""
    for name in names:
        try:
            link(path, name)
        except FileExistsError:
            continue
        with suppress(FileNotFoundError):  # without hard links, `link` has already moved it
            path.unlink()
        sync_folder(name.parent)
        return name
    raise FileExistsError(errno.EEXIST, "every name is in use")


def link(source: Path, target: Path) -> None:
    """Create the hard link `target` to `source`, or move `source` there if links are unsupported.

    Raises FileExistsError if `target` exists, and other `OSError`s.
    """
    if os.name == "nt":
        source.rename(target)  # fails on Windows if the target exists
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with held_signals():
            _claim(source, target)


def _claim(source: Path, target: Path) -> None:
    """Create `target` as an empty file, in which only one program can succeed, and rename `source` over it."""
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        source.replace(target)
    except BaseException:
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), target.lstat()):
                target.unlink()
        raise
    finally:
        os.close(descriptor)


def move_below(written: Path, path: Path, above: Path) -> None:
    """Rename a folder to `path`. Of the parents of `path`, only `above` needs to exist."""
    missing = [folder for folder in path.parents if folder != above and above in folder.parents]
    try:
        if missing:
            path.parent.mkdir(parents=True, exist_ok=True)
        written.rename(path)
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # another program may have written to it
                folder.rmdir()
        raise


def merge(written: Path, folder: Path, before: Path) -> None:
    """Move the files of `written` to `folder`; if one cannot be moved, all are restored.

    before: a folder to create; it keeps the replaced files until every file has been moved.
    """
    before.mkdir()
    moved: list[Path] = []
    try:
        for file in sorted(written.iterdir()):
            target = folder / file.name
            if os.path.lexists(target):
                _keep(target, before / file.name)
            file.replace(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            kept = before / target.name
            with suppress(OSError):
                kept.replace(target) if os.path.lexists(kept) else target.unlink()
        raise


def _keep(path: Path, kept: Path) -> None:
    """Create a hard link to a file, or copy it if links are unsupported."""
    if path.is_dir():
        raise IsADirectoryError(0, "a folder has this name")
    if os.name != "nt":
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return
    import shutil  # imported late, because few file systems need it

    shutil.copy2(path, kept, follow_symlinks=False)


def _exchange(source: Path, target: Path) -> None:
    """Rename `source` to `target` and remove the previous `target`."""
    with temporary_folder(target.parent) as temporary, held_signals():
        before = temporary / "before"
        target.rename(before)
        try:
            source.rename(target)
        except BaseException:
            before.rename(target)
            raise
