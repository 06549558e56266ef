"""The tables of a recording, their version, and how older versions are migrated."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

APPLICATION_ID = 0x41544C53  # "ATLS"

_TABLES = (
    """CREATE TABLE session (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    created TEXT NOT NULL,
    program TEXT NOT NULL,
    model TEXT NOT NULL,
    architecture TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL,
    layers INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    positions INTEGER NOT NULL,
    vocabulary INTEGER NOT NULL,
    padded_vocabulary INTEGER NOT NULL,
    end_of_text INTEGER NOT NULL,
    weights TEXT NOT NULL,
    kernels TEXT NOT NULL,
    adapter TEXT NOT NULL,
    driver TEXT NOT NULL,
    shaders_sha256 TEXT NOT NULL,
    versions TEXT NOT NULL
) STRICT""",
    """CREATE TABLE tensors (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    family TEXT NOT NULL,
    rows INTEGER,
    columns INTEGER NOT NULL,
    statistics BLOB
) STRICT""",
    """CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT""",
    """CREATE TABLE options (
    id INTEGER PRIMARY KEY,
    json TEXT NOT NULL
) STRICT""",
    """CREATE TABLE edits (
    id INTEGER PRIMARY KEY,
    options INTEGER NOT NULL REFERENCES options (id),
    edit TEXT NOT NULL,
    prompt INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    columns INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT""",
    """CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    parent INTEGER REFERENCES runs (id),
    fork_step INTEGER,
    started REAL NOT NULL,
    prompt TEXT NOT NULL,
    prompt_tokens BLOB NOT NULL,
    options INTEGER NOT NULL REFERENCES options (id),
    logits TEXT NOT NULL,
    statistics INTEGER NOT NULL,
    stop_reason TEXT
) STRICT""",
    """CREATE TABLE steps (
    run INTEGER NOT NULL REFERENCES runs (id),
    step INTEGER NOT NULL,
    time REAL NOT NULL,
    options INTEGER NOT NULL REFERENCES options (id),
    token INTEGER NOT NULL REFERENCES tokens (id),
    context_start INTEGER NOT NULL,
    context_length INTEGER NOT NULL,
    logit REAL,
    probability REAL,
    model_probability REAL,
    rank INTEGER NOT NULL,
    entropy REAL,
    highest REAL,
    log_total REAL,
    scaled_log_total REAL,
    kept INTEGER NOT NULL,
    nonfinite INTEGER NOT NULL,
    forward_ms REAL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE candidates (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    place INTEGER NOT NULL,
    token INTEGER NOT NULL REFERENCES tokens (id),
    logit REAL,
    scaled_delta REAL,
    probability REAL,
    model_probability REAL,
    PRIMARY KEY (run, step, place)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE logits (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, step)
) STRICT""",
    """CREATE TABLE statistics (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, step)
) STRICT""",
    """CREATE TABLE lens (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    positions INTEGER NOT NULL,
    top INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, step)
) STRICT""",
    """CREATE TABLE lens_files (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    point TEXT NOT NULL,
    file TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, point)
) STRICT""",
    """CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    run INTEGER,
    step INTEGER,
    kind TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT""",
    """CREATE TABLE cameras (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    run INTEGER,
    step INTEGER,
    view TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT""",
)


@dataclass(frozen=True)
class Schema:
    """One version of the tables, and the older versions that can be migrated to it."""

    version: int
    tables: Sequence[str]
    # For each readable older version: its tables, and the statements that migrate it to the next version.
    older: Mapping[int, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)

    def tables_of(self, version: int) -> Sequence[str]:
        """The statements that create the tables of `version`. Raises KeyError for an unknown version."""
        return self.tables if version == self.version else self.older[version][0]


LENS_VERSION = 3  # the first with tables `lens` and `edits`
LENS_FILE_VERSION = 4  # the first with the table `lens_files`
FIRST_ARCHITECTURE = "gpt2"  # of all recordings of version 1, which do not name it

_COLUMNS_1 = (
    "id, created, program, model, weights_sha256, layers, heads, channels, positions, vocabulary, padded_vocabulary,"
    " end_of_text, weights, kernels, adapter, driver, shaders_sha256, versions"
)
_TO_3 = tuple(table for table in _TABLES if table.split()[2] in ("edits", "lens"))
_TO_4 = tuple(table for table in _TABLES if table.split()[2] == "lens_files")
_TABLES_3 = tuple(table for table in _TABLES if table not in _TO_4)
_TABLES_2 = tuple(table for table in _TABLES_3 if table not in _TO_3)
_TABLES_1 = (_TABLES_2[0].replace("    architecture TEXT NOT NULL,\n", ""), *_TABLES_2[1:])
_TO_2 = (
    "ALTER TABLE session RENAME TO session_1",
    _TABLES[0],
    f"INSERT INTO session ({_COLUMNS_1}, architecture) SELECT {_COLUMNS_1}, '{FIRST_ARCHITECTURE}' FROM session_1",
    "DROP TABLE session_1",
)


SCHEMA = Schema(4, _TABLES, {1: (_TABLES_1, _TO_2), 2: (_TABLES_2, _TO_3), 3: (_TABLES_3, _TO_4)})


def uri(path: Path, mode: str) -> str:
    """The URI that opens the file at `path` in SQLite, whatever its name (even `:memory:`); `mode` is "ro" or "rw"."""
    return f"{Path(os.path.abspath(path)).as_uri()}?mode={mode}"


def create(connection: sqlite3.Connection, schema: Schema = SCHEMA) -> None:
    """Create the tables in an empty database, and mark it as a recording of this version."""
    for statement in schema.tables:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {schema.version}")


def definition(connection: sqlite3.Connection) -> list[tuple[str, str, str, str | None]]:
    """(type, name, table, statement) of everything that the database defines, sorted."""
    return sorted(
        connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"),
        key=lambda row: [str(part) for part in row],
    )


def expected(statements: Sequence[str]) -> list[tuple[str, str, str, str | None]]:
    """The `definition` of a database that `statements` create."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements:
            connection.execute(statement)
        return definition(connection)
    finally:
        connection.close()
