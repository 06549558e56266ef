"""Hidden folders for unfinished output. A living owner holds a lock, so what a killed program left can be removed."""

from __future__ import annotations

import atexit
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .held_signals import held_signals

_LOCK = "lock"  # the file inside each folder that its owner keeps locked
# The name says which machine made the folder: on a shared disk the locks of another one may not be seen here.
_HOST = f"{zlib.crc32(os.uname().nodename.encode() if hasattr(os, 'uname') else b''):08x}"
_NAME = re.compile(rf"\.atlas-viewer-{_HOST}-[0-9a-f]{{16}}\.tmp")
_TRIES = 5

_living: set[TemporaryFolder] = set()
_cleared: set[str] = set()


class TemporaryFolder:
    """A folder of this process inside another one, for this user only; `remove` takes it away with all that is in it.

    What is not removed when the program ends is removed then. After `kill -9` or a power cut the next program that
    writes into the same folder removes it.
    """

    def __init__(self, above: Path) -> None:
        """Make it in the folder `above`, which is cleared of leftovers first. Raises `OSError`."""
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
            _living.add(self)
            # Another program that clears this folder may take it for a leftover until it is locked.
            with suppress(FileNotFoundError):
                self._lock = os.open(path / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                if _locked(self._lock, otherwise=True) and (path / _LOCK).exists():
                    return
            self.remove()
        raise FileNotFoundError(0, "temporary folders vanish here")

    def remove(self) -> None:
        """Remove the folder; a second call does nothing. What cannot be removed is left for the next program."""
        import shutil  # here, as below: commands that write nothing do not pay for it

        with held_signals():
            if self not in _living:
                return
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            # A process that was forked off inherits the entry, not the folder.
            if self._process == os.getpid():
                shutil.rmtree(self.path, ignore_errors=True)
            _living.discard(self)


@contextmanager
def temporary_folder(above: Path) -> Iterator[Path]:
    """A `TemporaryFolder` in `above` that is gone at the end. Raises `OSError` when it cannot be made."""
    made = TemporaryFolder(above)
    try:
        yield made.path
    finally:
        made.remove()


def clear_leftovers(folder: Path) -> None:
    """Remove from `folder` what killed programs of this user on this machine left, once a process and folder.

    Only folders with our kind of name whose owner lives no more; whatever cannot be removed or examined stays.
    """
    key = os.path.realpath(folder)
    if key in _cleared:
        return
    _cleared.add(key)
    with suppress(OSError):
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name) and _is_own(entry)]
        for path in found:
            with suppress(OSError):
                _remove_if_dead(path)


def _is_own(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return False
    return os.name == "nt" or entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _remove_if_dead(path: Path) -> None:
    import shutil

    lock_file = path / _LOCK
    try:
        lock = os.open(lock_file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        path.rmdir()  # its owner was killed before it wrote anything; a folder with other content is not ours
        return
    try:
        if not _locked(lock):
            return
        # The lock file goes last: without it, what is left could not be recognized the next time.
        for inside in path.iterdir():
            if inside.name != _LOCK:
                shutil.rmtree(inside) if inside.is_dir() and not inside.is_symlink() else inside.unlink()
        if os.name != "nt":
            # While it is locked, so that an owner that has just made the folder sees that it lost it.
            lock_file.unlink()
    finally:
        os.close(lock)
    lock_file.unlink(missing_ok=True)  # Windows removes no open file
    path.rmdir()


def _locked(descriptor: int, otherwise: bool = False) -> bool:
    """Lock an open file; False when another process has it locked, `otherwise` where the file system has no locks."""
    import filelock  # here, because most commands write nothing and it takes its time to load

    try:
        return filelock.lock_descriptor(descriptor, blocking=False)
    except OSError:
        return otherwise


def _remove_living() -> None:
    for folder in list(_living):
        folder.remove()


atexit.register(_remove_living)
