"""Flushing finished files to the disk and giving them their names in one step."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .held_signals import held_signals
from .temporary_folder import temporary_folder

# What a file system without hard links answers; FAT and some network disks have none.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
# What a file system answers that cannot flush a folder, or need not.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM}


def sync(path: Path) -> None:
    """Have the content on the disk before a name points at it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Have the files of a folder, and their names, on the disk."""
    for path in sorted(folder.iterdir()):
        sync_tree(path) if path.is_dir() else sync(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name == "nt":  # which opens no folder
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written and not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def put_in_place(source: Path, target: Path) -> None:
    """Give the finished file or folder `source` the name `target`, in the place of what is there.

    Raises `OSError`; then both are as before.
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
    """Rename the file at `path` to the first of `names` that is free, and return that. Raises `OSError`."""
    for name in names:
        try:
            link(path, name)
        except FileExistsError:
            continue
        with suppress(FileNotFoundError):  # without hard links it has moved already
            path.unlink()
        sync_folder(name.parent)
        return name
    raise FileExistsError(errno.EEXIST, "every name is taken")


def link(source: Path, target: Path) -> None:
    """Give `source` the name `target`, too, or without hard links move it there; FileExistsError when it is taken."""
    if os.name == "nt":
        source.rename(target)  # replaces nothing there
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
    """Make `target` as an empty file, which only one program can, and rename over that."""
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
    """Rename a folder to `path`, of which only `above` is there yet."""
    missing = [folder for folder in path.parents if folder != above and above in folder.parents]
    try:
        if missing:
            path.parent.mkdir(parents=True, exist_ok=True)
        written.rename(path)
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # another program may have put something into it
                folder.rmdir()
        raise


def merge(written: Path, folder: Path, before: Path) -> None:
    """Move the files of `written` to `folder`; when one cannot be moved, all are as they were.

    before: a folder to make, for what is replaced until everything is in place.
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
    """Give a file a second name, or without hard links a copy."""
    if path.is_dir():
        raise IsADirectoryError(0, "the name is that of a folder")
    if os.name != "nt":
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return
    import shutil  # here, because few file systems need it

    shutil.copy2(path, kept, follow_symlinks=False)


def _exchange(source: Path, target: Path) -> None:
    """Rename `source` to `target` and remove what was there."""
    with temporary_folder(target.parent) as temporary, held_signals():
        before = temporary / "before"
        target.rename(before)
        try:
            source.rename(target)
        except BaseException:
            before.rename(target)
            raise
