"""Hidden folders for unfinished output. Owners lock them, so that leftovers of killed programs can be recognized."""

from __future__ import annotations

import atexit
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .held_signals import held_signals

_LOCK = "lock"  # the file in each folder that the owner keeps locked
# The name identifies the machine: on a network disk, locks of other machines may be invisible here.
_HOST = f"{zlib.crc32(os.uname().nodename.encode() if hasattr(os, 'uname') else b''):08x}"
_NAME = re.compile(rf"\.atlas-viewer-{_HOST}-[0-9a-f]{{16}}\.tmp")
_TRIES = 5

_existing: set[TemporaryFolder] = set()
_cleared: set[str] = set()


class TemporaryFolder:
    """A folder of this process inside another one, accessible to this user only.

    `remove` deletes it and its contents; when the program ends, all remaining ones are deleted. After `kill -9` or a
    power cut, the next program that writes to the same parent folder deletes it.
    """

    def __init__(self, above: Path) -> None:
        """Create the folder in `above`, after removing leftovers there. Raises `OSError`."""
        clear_leftovers(above)
        self._process = os.getpid()
        self._lock: int | None = None  # descriptor
        self.path = above
        try:
            with held_signals():
                self._make(above)
        except BaseException:
            self.remove()
            raise

    def _make(self, above: Path) -> None:
        for _ in range(_TRIES):
            path = above / f".atlas-viewer-{_HOST}-{os.urandom(8).hex()}.tmp"
            path.mkdir(mode=0o700)
            self.path = path
            _existing.add(self)
            # Until it is locked, another program that removes leftovers may delete it.
            with suppress(FileNotFoundError):
                self._lock = os.open(path / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                if _locked(self._lock, without_locks=True) and (path / _LOCK).exists():
                    return
            self.remove()
        raise FileNotFoundError(0, "temporary folders disappear here")

    def remove(self) -> None:
        """Delete the folder; a second call does nothing. What cannot be deleted is left to the next program."""
        import shutil  # imported late, here and below, because commands that write nothing do not need it

        with held_signals():
            if self not in _existing:
                return
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            # A forked process inherits the entry, but does not own the folder.
            if self._process == os.getpid():
                shutil.rmtree(self.path, ignore_errors=True)
            _existing.discard(self)


@contextmanager
def temporary_folder(above: Path) -> Iterator[Path]:
    """Yield a `TemporaryFolder` in `above` and remove it afterwards. Raises `OSError` when it cannot be created."""
    temporary = TemporaryFolder(above)
    try:
        yield temporary.path
    finally:
        temporary.remove()


def clear_leftovers(folder: Path) -> None:
    """Remove what this user's killed programs on this machine left in `folder`, once per process and folder.

    Removes only folders that match our name pattern and whose owner is no longer running; keeps what cannot be examined
    or removed.
    """
    key = os.path.realpath(folder)
    if key in _cleared:
        return
    _cleared.add(key)
    with suppress(OSError):
        with os.scandir(folder) as entries:
            leftovers = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name) and _is_own(entry)]
        for path in leftovers:
            with suppress(OSError):
                _remove_if_unowned(path)


def _is_own(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return False
    return os.name == "nt" or entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _remove_if_unowned(path: Path) -> None:
    import shutil

    lock_file = path / _LOCK
    try:
        lock = os.open(lock_file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        path.rmdir()  # its owner was killed before it wrote anything; rmdir fails if the folder has other content
        return
    try:
        if not _locked(lock):
            return
        # The lock file is removed last: without it, the rest could not be recognized next time.
        for content in path.iterdir():
            if content.name != _LOCK:
                shutil.rmtree(content) if content.is_dir() and not content.is_symlink() else content.unlink()
        if os.name != "nt":
            # Removed while locked, so that an owner that has just created the folder notices the loss.
            lock_file.unlink()
    finally:
        os.close(lock)
    lock_file.unlink(missing_ok=True)  # Windows cannot remove open files
    path.rmdir()


def _locked(descriptor: int, without_locks: bool = False) -> bool:
    """Lock an open file. Returns False if another process has locked it, `without_locks` if locks are unsupported."""
    import filelock  # imported late, because most commands write nothing and it loads slowly

    try:
        return filelock.lock_descriptor(descriptor, blocking=False)
    except OSError:
        return without_locks


def _remove_existing() -> None:
    for folder in list(_existing):
        folder.remove()


atexit.register(_remove_existing)
