"""If SQLite cannot allocate what a damaged file needs, Python's sqlite3 raises MemoryError, and the reader refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from atlas_viewer.recording import safe_open
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.schema import SCHEMA, Schema
from compute.errors import RecordingError

from helpers.damaged_recordings import assert_clear_message, use
from helpers.make_recordings import make_session

_MOST = 2000  # statements and rows: far more than one use needs


class Starved:
    """Replaces `safe_open.connect`: connections that run out of memory after a number of statements and rows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self._connect = 0, safe_open.connect
        monkeypatch.setattr(safe_open, "connect", self.connect)

    def connect(self, path: Path, mode: str = "ro") -> StarvedConnection:
        self.count()
        return StarvedConnection(self._connect(path, mode), self)

    def count(self) -> None:
        """Raise MemoryError if no memory is left."""
        if not self.left:
            raise MemoryError
        self.left -= 1


class StarvedConnection:
    """A connection that counts statements and rows."""

    def __init__(self, connection: sqlite3.Connection, starved: Starved) -> None:
        self._connection, self._starved = connection, starved

    def execute(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        self._starved.count()
        return self._rows(self._connection.execute(query, values))

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        for row in cursor:
            self._starved.count()
            yield row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def refusals(starved: Starved, path: Path, action: Callable[[], object]) -> int:
    """How often `action` is refused, with memory for one more statement or row each time, until it succeeds."""
    reasons: set[bool] = set()
    for left in range(_MOST):
        starved.left = left
        try:
            action()
        except RecordingError as error:
            assert_clear_message(path, error)
            reasons.add("more memory than is available" in str(error))
        else:
            assert reasons == {True}
            return left
    raise AssertionError("it never ends")


def test_a_read_without_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_session(tmp_path / "a.atlas", steps=2)
    assert refusals(Starved(monkeypatch), path, lambda: use(path)) > 20


def test_a_migration_without_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_session(tmp_path / "a.atlas", steps=1)
    change = ("CREATE TABLE more (id INTEGER)",)
    newer = Schema(SCHEMA.version + 1, (*SCHEMA.tables, *change), {SCHEMA.version: (SCHEMA.tables, change)})
    assert refusals(Starved(monkeypatch), path, lambda: safe_open.Database(path, newer).close()) > 20


def test_a_recovery_without_memory_is_refused_or_saves_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, target = make_session(tmp_path / "a.atlas", steps=2), tmp_path / "b.atlas"
    starved, ends = Starved(monkeypatch), set()
    for left in range(_MOST):
        starved.left = left
        try:
            found = recover(path, target)
        except RecordingError as error:
            assert_clear_message(path, error)
            assert not target.exists()
            ends.add("refused")
            continue
        target.unlink()
        ends.add("saved in part" if found.lost else "saved")
        if not found.lost:
            break
    assert ends == {"refused", "saved in part", "saved"}
