"""Opens a file from an untrusted source: nothing in it is executed, no access takes long, and it is never changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from compute.errors import RecordingError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as, reason_of
from compute.io.temporary_folder import TemporaryFolder

from .schema import APPLICATION_ID, SCHEMA, Schema, definition, expected, uri

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_LONGEST_VALUE = 64 << 20  # bytes
_LEAST_ROW = 4  # bytes: the minimum size of a row in the file
# A query may take this many seconds, plus the time to read the file at this many bytes per second.
_PATIENCE_S, _RATE = 1.0, 10 << 20
_INSTRUCTIONS = 20_000  # of SQLite's virtual machine, between two checks of the time limit
_LONGEST_REASON = 200  # characters
_RECOVER = "`session recover` saves what can be read"
_LOST = "nothing in it can be saved, look for a copy"

# The actions allowed to SQLite while such a file is open. It asks before it prepares a statement.
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
_FUNCTIONS = {"count"}
# The exceptions that reading a damaged file raises. UnicodeDecodeError: text that is not UTF-8. MemoryError: raised by
# Python's sqlite3 when SQLite cannot allocate the memory that a damaged size asks for.
_UNSOUND = (sqlite3.Error, UnicodeDecodeError, MemoryError)


class Database:
    """A checked recording, open for reading. Every fault in it raises `RecordingError`."""

    def __init__(self, path: Path, schema: Schema = SCHEMA, *, damaged: bool = False) -> None:
        """Check that `path` is a recording of a known version; an older one is migrated in a temporary copy.

        damaged: also accept a truncated file, and one with additional tables. It keeps its version, because damage
        may prevent the migration. Raises `RecordingError`.
        """
        self.path = path
        self.shown = one_line(path)
        self.advice = _LOST if damaged else _RECOVER
        self._damaged = damaged
        self._copy: TemporaryFolder | None = None
        self._connection: sqlite3.Connection | None = None
        self._deadline = 0.0
        try:
            version = check_file(path, schema)
            source = path
            migrated = version != schema.version and not damaged
            if migrated or _needs_copy(path):
                source = self._copied()
            self.size = sum(p.stat().st_size for p in (source, Path(f"{source}-wal")) if p.exists())
            if migrated:
                self._migrate(source, version, schema)
            self.version = schema.version if migrated else version  # of the tables that are read
            self._open(source)
            found, wanted = self._definition(), expected(schema.tables_of(self.version))
            if self._damaged:
                # A table may be missing, but not have a different definition; no other table is ever read. A table
                # whose definition SQLite cannot read counts as missing.
                names, readable = {name for _, name, _, _ in wanted}, self._readable()
                found = [entry for entry in found if entry[1] in names and entry[2] in readable]
                wanted = [entry for entry in wanted if entry[1] in {name for _, name, _, _ in found}]
            if found != wanted:
                raise RecordingError(f"{self.shown}: its tables are not those of a recording; {self.advice}")
            self._guard()
        except OSError as error:
            self.close()
            raise RecordingError(f"{self.shown}: cannot be read ({reason_of(error)}); check the path") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.remove()
            self._copy = None

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT. Raises `RecordingError` if the file is damaged."""
        return list(self.each_row(query, values))

    def each_row(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, one by one. Raises `RecordingError` where the file is damaged."""
        assert self._connection is not None
        limit = self.size // _LEAST_ROW + 64
        self._deadline = time.monotonic() + _PATIENCE_S + self.size / _RATE
        with self._refused("is damaged"):
            for number, row in enumerate(self._connection.execute(query, values)):
                if number >= limit:
                    raise RecordingError(f"{self.shown}: is damaged (more rows than fit into it); {self.advice}")
                yield row

    def row(self, query: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return next(iter(self.rows(query, values)), None)

    @contextmanager
    def _refused(self, what: str) -> Iterator[None]:
        """Turn errors from SQLite and Python's sqlite3 into a `RecordingError` that says `what` happened."""
        try:
            yield
        except _UNSOUND as error:
            raise RecordingError(f"{self.shown}: {what} ({_first_line(error)}); {self.advice}") from None

    def _copied(self) -> Path:
        self._copy = TemporaryFolder(Path(tempfile.gettempdir()))
        target = self._copy.path / "session"
        shutil.copyfile(self.path, target)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{self.path}-wal", f"{target}-wal")
        return target

    def _open(self, path: Path, mode: str = "ro") -> None:
        with self._refused("cannot be opened"):
            self._connection = connect(path, mode)
            if self._damaged:
                # SQLite then accepts a truncated file and unknown entries in its schema. The file does not become
                # writable, because the connection is read-only.
                self._connection.execute("PRAGMA writable_schema = ON")
        self._connection.set_progress_handler(self._late, _INSTRUCTIONS)

    def _late(self) -> bool:
        return time.monotonic() > self._deadline

    def _definition(self) -> list[tuple[str, str, str, str | None]]:
        assert self._connection is not None
        self._deadline = time.monotonic() + _PATIENCE_S
        with self._refused("is damaged"):
            return definition(self._connection)

    def _readable(self) -> set[str]:
        """The names of the tables and views that SQLite can read."""
        assert self._connection is not None
        with self._refused("is damaged"):
            return {str(row[1]) for row in self._connection.execute("PRAGMA table_list")}

    def _guard(self) -> None:
        assert self._connection is not None

        def allowed(action: int, first: str | None, second: str | None, _where: str | None, _why: str | None) -> int:
            if action in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS):
                return sqlite3.SQLITE_OK
            return sqlite3.SQLITE_DENY

        self._connection.set_authorizer(allowed)

    def _migrate(self, path: Path, version: int, schema: Schema) -> None:
        """Migrate the copy at `path` to this version."""
        self._open(path, "rw")
        assert self._connection is not None
        if self._definition() != expected(schema.tables_of(version)):
            raise RecordingError(f"{self.shown}: its tables are not those of version {version}; {self.advice}")
        self._deadline = time.monotonic() + _PATIENCE_S + self.size / _RATE
        with self._refused("cannot be migrated"):
            self._connection.execute("BEGIN")
            while version < schema.version:
                for statement in schema.older[version][1]:
                    self._connection.execute(statement)
                version += 1
            self._connection.execute(f"PRAGMA user_version = {version}")
            self._connection.execute("COMMIT")
        self._connection.close()


def beside(path: Path) -> tuple[Path, ...]:
    """The files that SQLite may keep beside a database and that belong to it."""
    return tuple(Path(f"{path}{suffix}") for suffix in ("-wal", "-shm", "-journal"))


def is_session(path: Path) -> bool:
    """True if the regular file at `path` has the header of a recording of any version, damaged or not."""
    try:
        with path.open("rb") as file:
            return _version(file.read(_HEADER_BYTES)) is not None
    except OSError:
        return False


def _version(header: bytes) -> int | None:
    """The version in the header of a file; None if it is not a recording."""
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return None
    version: int
    application: int
    version, application = struct.unpack(">I4xI", header[60:72])
    return version if application == APPLICATION_ID else None


def check_file(path: Path, schema: Schema = SCHEMA) -> int:
    """The version of the recording at `path`, read from its header. Raises `RecordingError`."""
    shown = one_line(path)
    with read_errors_as(RecordingError, shown):
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise RecordingError(f"{shown}: is {kind}; give the path of a recording")
        for other in beside(path):
            # SQLite would open it, and wait forever if it is a pipe.
            if os.path.lexists(other) and not stat.S_ISREG(other.lstat().st_mode):
                raise RecordingError(f"{one_line(other)}: is not a regular file; remove it")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise RecordingError(f"{shown}: is not a recording; give a file that `session record` made")
    version = _version(header)
    if version is None:
        raise RecordingError(f"{shown}: is a database of another program; give a file that `session record` made")
    if version > schema.version:
        raise RecordingError(
            f"{shown}: was recorded by a newer program (format version {version}, this program reads up to"
            f" {schema.version}); update atlas-viewer"
        )
    if version != schema.version and version not in schema.older:
        raise RecordingError(
            f"{shown}: has the unknown format version {version}; the file is damaged or from another program"
        )
    return version


def connect(path: Path, mode: str = "ro") -> sqlite3.Connection:
    """A connection that trusts nothing in the file. Raises `sqlite3.Error`, and MemoryError as sqlite3 does."""
    connection = sqlite3.connect(uri(path, mode), uri=True, isolation_level=None)
    connection.text_factory = _text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _text(data: bytes) -> str:
    """Text from the file. Invalid UTF-8 becomes lone surrogates, which the column's check refuses.

    A bad value then affects only its own row, not those after it.
    """
    return data.decode(errors="surrogateescape")


def _needs_copy(path: Path) -> bool:
    """True if the file has a log, but its folder is read-only, so SQLite cannot create the log's index."""
    return Path(f"{path}-wal").exists() and not os.access(path.parent, os.W_OK)


def _first_line(error: Exception) -> str:
    text = str(error)
    if text == "interrupted":
        return "reading it takes too long"
    if isinstance(error, MemoryError):
        return "reading it takes more memory than is available"
    return reason_of(error)[:_LONGEST_REASON]  # SQLite quotes names and statements from the file
