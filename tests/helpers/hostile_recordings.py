"""Recordings with one value that the program never writes, in a column or a JSON field of choice."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atlas_viewer.recording.schema import SCHEMA, expected

# As SQL: text that is no UTF-8, with NUL and escape sequences; numbers of every kind; bytes; other types.
VALUES = (
    "CAST(x'eda080' AS TEXT)", "CAST(x'6100ff' AS TEXT)", "'a' || char(0) || 'b'", "'a' || char(27) || '[2J'",
    "NULL", "9e999", "-9e999", "1e300", "-1", "3.5", "0", "70000", "9223372036854775807", "-9223372036854775808",
    "''", "'hot'", "x''", "x'00ff'", "zeroblob(70000)", "replace(hex(zeroblob(50000)), '0', '[')",
)  # fmt: skip

# As JSON, valid or not.
JSON = (
    r'"\ud800"', r'"\udc00\ud800"', r'"a\u0000b"', r'"\u001b[2J\n\u202e"', '{"\\ud800": 1}', '"hot"', '""',
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 4999, "1" + "0" * 300, "1e300",
    "-1", "0.5", "3", "null", "true", "[]", "{}", "[" * 70 + "]" * 70, "[" * 5000, f'"{"x" * 100_000}"', "x", "",
)  # fmt: skip

# The rowid itself is always a whole number.
_ROWIDS = {
    (table, "id")
    for table in (
        "session", "tensors", "tokens", "options", "edits", "runs", "logits", "statistics", "lens", "lens_files",
        "events", "cameras",
    )
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A value of the file: a column of one row, and a field of it where it is JSON."""

    table: str
    column: str
    where: str
    field: str | None = None

    def __str__(self) -> str:
        return ".".join(filter(None, (self.table, self.column, self.field)))


class Hostile:
    """Copies of a sound recording, each with one value replaced."""

    def __init__(self, sound: Path, folder: Path) -> None:
        self._sound, self._loose, self._target = sound, folder / "loose.atlas", folder / "hostile.atlas"
        shutil.copyfile(sound, self._loose)
        _redefine(self._loose, _loosened)

    def put(self, place: Place, value: str) -> Path | None:
        """The file with `value`, SQL or JSON, at `place`; None if no file can contain it, such as a duplicate key."""
        shutil.copyfile(self._loose, self._target)
        connection = _quick(self._target)
        if place.field is not None:
            (text,) = connection.execute(f"SELECT {place.column} FROM {place.table} WHERE {place.where}").fetchone()
            known = {name: json.dumps(part) for name, part in json.loads(text).items()} | {place.field: value}
            changed = "{" + ", ".join(f'"{name}": {part}' for name, part in known.items()) + "}"
            connection.execute(f"UPDATE {place.table} SET {place.column} = ? WHERE {place.where}", (changed,))
        else:
            try:
                connection.execute(f"UPDATE {place.table} SET {place.column} = {value} WHERE {place.where}")
            except sqlite3.IntegrityError:
                connection.close()
                return None
        connection.close()
        _redefine(self._target, lambda sql: sql)
        return self._target


def columns(rows: dict[str, str]) -> Iterator[Place]:
    """Every column of every table. rows: the row to change, by table."""
    for kind, table, _, sql in expected(SCHEMA.tables):
        if kind == "table" and sql is not None:
            for name in re.findall(r"^    (\w+) (?:INTEGER|TEXT|REAL|BLOB)", sql, re.MULTILINE):
                if (table, name) not in _ROWIDS:
                    yield Place(table, name, rows[table])


def fields(sound: Path, rows: dict[str, str]) -> Iterator[Place]:
    """Every field of every JSON column."""
    connection = sqlite3.connect(sound)
    for table, column in (("session", "versions"), ("options", "json"), ("events", "json"), ("cameras", "json")):
        (text,) = connection.execute(f"SELECT {column} FROM {table} WHERE {rows[table]}").fetchone()
        for name in json.loads(text):
            yield Place(table, column, rows[table], name)
    connection.close()


def _loosened(sql: str) -> str:
    """A table definition that accepts any value in any column."""
    sql = re.sub(r"CHECK \(.*?\)|NOT NULL|REFERENCES \w+ \(\w+\)", "", sql)
    sql = re.sub(r"(?m)^(    \w+) (?:INTEGER|TEXT|REAL|BLOB)(?! PRIMARY KEY)", r"\1", sql)
    return sql.replace(") STRICT, WITHOUT ROWID", ") WITHOUT ROWID").replace(") STRICT", ")")


def _redefine(path: Path, change: object) -> None:
    connection = _quick(path)
    connection.execute("BEGIN")
    connection.execute("PRAGMA writable_schema = ON")
    for kind, name, _, sql in expected(SCHEMA.tables):
        if kind == "table":
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (change(sql), name))  # type: ignore[operator]
    connection.execute("COMMIT")
    connection.close()


def _quick(path: Path) -> sqlite3.Connection:
    """A connection that never waits for the disk."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection
