"""A recording of a few kilobytes with something in every table, and ways to replace any of its values."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from atlas_viewer.recording.lens_records import lens_of
from atlas_viewer.recording.records import DrawInfo, RecordedEdit, RecordedStep, RunInfo, UiEvent
from atlas_viewer.recording.schema import APPLICATION_ID, SCHEMA
from atlas_viewer.recording.store import Store, create_session
from compute.views.statistics_table import STATISTICS

from helpers.make_recordings import (
    CONFIG,
    HEAD,
    LENS_FILE,
    LENS_TOP,
    OPTIONS,
    PROMPT_TOKENS,
    TENSORS,
    draw,
    lens_result,
    step,
    token_bytes,
)

_PAGE_BYTES = 1024
_STEPS = 2

Edit = Sequence[Any]
"""[table, row, column, path of keys in the column's JSON, value], or [table, row, "delete" or "copy"].

Bytes are {"hex": "00ff"}.
"""


@cache
def sound() -> bytes:
    """The recording: two runs, the second a branch of the first, with logits, statistics, lens, events and cameras."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.atlas"
        create_session(path, HEAD, TENSORS)
        store = Store(path, token_bytes)
        with store.transaction():
            _fill(store)
        store.close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("VACUUM")
        connection.close()
        return path.read_bytes()


@cache
def sound_version_1() -> bytes:
    """The same as a recording of version 1, which reading migrates."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(sound())
    (table, *_), kept = SCHEMA.tables_of(1), ", ".join(name for name in columns()["session"] if name != "architecture")
    connection.execute("ALTER TABLE session RENAME TO session_2")
    connection.execute(table)
    connection.execute(f"INSERT INTO session ({kept}) SELECT {kept} FROM session_2")
    connection.execute("DROP TABLE session_2")
    connection.execute("DROP TABLE lens")
    connection.execute("DROP TABLE edits")
    connection.execute("DROP TABLE lens_files")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("VACUUM")
    data = connection.serialize()
    connection.close()
    return data


def _fill(store: Store) -> None:
    edits = (RecordedEdit("h.0.attn.out[head=1] = 0", len(PROMPT_TOKENS), 20, np.zeros((1, 1, 1), np.float32)),)
    first = RunInfo(1, None, None, 0.5, "a prompt", tuple(PROMPT_TOKENS), OPTIONS, "f16", True, "length", edits)
    tokens = (*PROMPT_TOKENS, 9)
    branch = replace(
        first, id=2, parent=1, fork_step=1, started=9.0, prompt_tokens=tokens, logits="none", statistics=False, edits=()
    )
    for run in (first, branch):
        store.add_run(run, LENS_FILE if run is first else None)
        for index in range(_STEPS):
            drawn = draw(index)
            info = DrawInfo(drawn.highest, drawn.log_total, drawn.scaled_log_total, drawn.kept, drawn.nonfinite)
            recorded = RecordedStep(step(index), run.started + index, OPTIONS, info, run.edits)
            data = (bytes(2 * HEAD.config.vocabulary), bytes(2 * STATISTICS.itemsize)) if run is first else (None, None)
            lens = lens_of(lens_result(index), recorded.record, CONFIG, LENS_TOP) if run is first else None
            store.add_step(run.id, recorded, data[0], data[1], lens)
    store.set_weight_statistics([("wte", bytes(STATISTICS.itemsize))])
    for time, kind, value in (
        (0.1, "view", "map"), (0.2, "chosen", 3), (0.3, "name", "first"), (1.0, "options", OPTIONS.as_json()),
        (1.5, "options", OPTIONS.as_json() | {"temperature": 1.0}),
    ):  # fmt: skip
        store.add_event(UiEvent(time, 1, 1, kind, {"value": value, "run": 1} if kind == "name" else {"value": value}))
    store.add_camera(UiEvent(0.2, 1, 0, "strip", {"zoom": 2.0, "x": 320.0, "y": 180.0}))
    place = {"tensor": "wte", "index": [7, 1], "x": 0.5, "y": 0.5, "width": 80.0, "height": 45.0}
    store.add_camera(UiEvent(0.4, 1, 1, "map", place))


@cache
def columns() -> dict[str, list[str]]:
    """The columns of every table."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(sound())
    found = {
        name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    }
    connection.close()
    return found


@cache
def _loose() -> bytes:
    """The same rows in tables that accept values of any type."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    source = sqlite3.connect(":memory:")
    source.deserialize(sound())
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA.version}")
    for statement in SCHEMA.tables:
        loose = statement.replace("STRICT, ", "").replace(") STRICT", ")").replace(" NOT NULL", "")
        connection.execute(loose.replace(" CHECK (id = 1)", ""))
    for table, names in columns().items():
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", source.execute(f"SELECT * FROM {table}"))
    data = connection.serialize()
    connection.close()
    source.close()
    return data


def edited(edits: Sequence[Edit]) -> bytes:
    """The recording after `edits`, applied in turn; an edit that makes no sense is skipped.

    SQLite itself keeps types apart in these tables, but whoever writes a file need not ask it.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(_loose())
        for edit in edits:
            with suppress(sqlite3.Error, ArithmeticError, ValueError, TypeError, LookupError):
                _apply(connection, *edit)
        connection.execute("PRAGMA writable_schema = ON")
        for statement in SCHEMA.tables:
            name = statement.split()[2]
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (statement, name))
        return connection.serialize()
    finally:
        connection.close()


def _apply(
    connection: sqlite3.Connection, table: str, row: int, column: str, path: Sequence[Any] = (), value: Any = None
) -> None:
    names = columns()[table]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    old = rows[row % len(rows)]
    where = " AND ".join(f"{name} IS ?" for name in names)
    if column == "copy":
        marks = ", ".join("?" * (len(names) - 1))
        connection.execute(f"INSERT INTO {table} VALUES ({len(rows) + 1}, {marks})", old[1:])
    elif column == "delete":
        connection.execute(f"DELETE FROM {table} WHERE {where}", old)
    elif column in names:
        if path:
            whole = json.loads(old[names.index(column)])
            inner = whole
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            value = json.dumps(whole)
        bound = _bound(value)
        mark = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
        connection.execute(f"UPDATE {table} SET {column} = {mark} WHERE {where}", (bound, *old))


def _bound(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")  # SQLite does not mind
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    return json.dumps(value) if isinstance(value, dict | list) else value
