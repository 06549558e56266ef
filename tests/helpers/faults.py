"""Injected failures: the n-th write, flush, sync, rename, link or allocation fails as a full disk or GPU would."""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import wgpu
from wgpu.backends.wgpu_native import GPUDevice, GPUQueue

_FULL = OSError(errno.ENOSPC, "No space left on device")
_BROKEN = OSError(errno.EIO, "Input/output error")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_MOST = int(os.environ.get("ATLAS_FAULTS", "0"))

Fault = tuple[str, int]  # a kind of call, and which of them fails, from 1 on


class Faults:
    """Counts calls by kind, and makes one fail. Calls about files count for those below `folder` only."""

    def __init__(self, folder: Path, fault: Fault | None = None) -> None:
        self.folder, self.fault = str(folder), fault
        self.counts: Counter[str] = Counter()
        self.failed = False

    def hit(self, kind: str) -> bool:
        """Count a call; True when it is the one to fail."""
        self.counts[kind] += 1
        failing = (kind, self.counts[kind]) == self.fault
        self.failed = self.failed or failing
        return failing

    def concerns(self, path: object) -> bool:
        """Whether a path lies below the folder."""
        return isinstance(path, str | os.PathLike) and os.path.abspath(os.fspath(path)).startswith(self.folder)


class FaultyFile:
    """A file opened for writing."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> FaultyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: Any) -> int:
        """A failing write writes half of the data."""
        if self._faults.hit("write"):
            self._file.write(data[: len(data) // 2])
            raise _FULL
        return int(self._file.write(data))

    def flush(self) -> None:
        if self._faults.hit("flush"):
            raise _FULL
        self._file.flush()

    def close(self) -> None:
        """Flushes the buffer."""
        if not self._file.closed:
            failing = self._faults.hit("flush")
            self._file.close()
            if failing:
                raise _FULL


@contextmanager
def injected(faults: Faults) -> Iterator[None]:
    """Count the calls in the body, and make one fail."""
    with pytest.MonkeyPatch.context() as patch:
        _patch_files(patch, faults)
        _patch_sqlite(patch, faults)
        _patch_gpu(patch, faults)
        yield


def _failing(faults: Faults, kind: str, usual: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    def call(*arguments: Any, **others: Any) -> Any:
        if kind == "upload":  # pygfx uploads what other scenes left over, too
            counts = sys._getframe(1).f_globals["__name__"].split(".")[0] in ("compute", "atlas_viewer")
        else:
            counts = faults.concerns(_path(arguments[0]))
        counts = counts and not (kind == "folder" and os.path.isdir(arguments[0]))  # nothing to make
        if counts and faults.hit(kind):
            raise error
        return usual(*arguments, **others)

    return call


def _path(path: object) -> object:
    """The path of an open descriptor; anything else unchanged."""
    return os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else path


def _patch_files(patch: pytest.MonkeyPatch, faults: Faults) -> None:
    for kind, names, error in (
        ("sync", ("fsync",), _BROKEN),
        ("rename", ("rename", "replace"), _BROKEN),
        ("link", ("link",), _BROKEN),
        ("folder", ("mkdir",), _FULL),
    ):
        for name in names:
            patch.setattr(os, name, _failing(faults, kind, getattr(os, name), error))
    os_open, io_open = os.open, io.open

    def open_descriptor(path: Any, flags: int, *arguments: Any, **others: Any) -> int:
        if flags & _WRITING and faults.concerns(path) and faults.hit("open"):
            raise _FULL
        return os_open(path, flags, *arguments, **others)

    def open_file(path: Any, mode: str = "r", *arguments: Any, **others: Any) -> Any:
        writes = set(mode) & set("wax") and faults.concerns(path)
        if writes and faults.hit("open"):
            raise _FULL
        file = io_open(path, mode, *arguments, **others)
        return FaultyFile(file, faults) if writes else file

    patch.setattr(os, "open", open_descriptor)
    patch.setattr(io, "open", open_file)
    patch.setattr(builtins, "open", open_file)


def _patch_sqlite(patch: pytest.MonkeyPatch, faults: Faults) -> None:
    """Statements of writable connections."""
    usual = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            if arguments[0] != "ROLLBACK" and faults.hit("statement"):
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            if faults.hit("statement"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().executemany(*arguments)

    def connect(path: str, **options: Any) -> sqlite3.Connection:
        return usual(path, factory=Connection, **options) if "mode=rw" in path else usual(path, **options)

    patch.setattr(sqlite3, "connect", connect)


def _patch_gpu(patch: pytest.MonkeyPatch, faults: Faults) -> None:
    usual = GPUDevice._create_buffer
    staging = wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.MAP_WRITE

    def create(self: Any, label: str, size: int, usage: int, mapped: bool) -> Any:
        if (usage & staging or mapped) and faults.hit("staging"):
            raise wgpu.GPUOutOfMemoryError("Not enough memory left.")
        return usual(self, label, size, usage, mapped)

    patch.setattr(GPUDevice, "_create_buffer", create)
    for name in ("write_buffer", "write_texture"):
        error = wgpu.GPUOutOfMemoryError("Not enough memory left.")
        patch.setattr(GPUQueue, name, _failing(faults, "upload", getattr(GPUQueue, name), error))


def chosen(counts: Counter[str], most: int = 4, leave_out: frozenset[str] = frozenset()) -> list[Fault]:
    """A limited number of faults of each kind: the first, the last, and some between them, the same in every run."""
    picked: list[Fault] = []
    most = max(most, _MOST)
    for kind in sorted(counts.keys() - leave_out):
        count = counts[kind]
        among = random.Random(f"{kind} {count}").sample(range(2, count), min(most - 2, max(0, count - 2)))
        picked += [(kind, number) for number in sorted({1, count, *among})]
    return picked


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """In the body no file of this process can grow beyond `size` bytes, no matter who writes it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
