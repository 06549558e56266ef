"""The writing side of a session file: statements only, no thread and no queue."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

import numpy as np

from compute.errors import OutputError, TakenError
from compute.io.escape import one_line
from compute.io.output_files import new_path
from compute.sampling.options import GenerateOptions

from .records import Head, RecordedStep, RecordedTensor, RunInfo, UiEvent
from .safe_open import beside
from .schema import create, uri

_PATIENCE_S = 1.0  # for readers to let go
# The logits of a step are 100 kB: with the usual pages of SQLite, and a log that is put away every 4 MB, writing them
# takes a third longer. Pages are no larger, so that short sessions stay small.
_PAGE_BYTES, _LOG_BYTES = 8192, 16 << 20


class Store:
    """An open session that is being written. Everything written inside one `transaction` is there whole or not at all.

    The write-ahead log is not flushed at every commit: what is committed survives the end of the program at any moment,
    and a power cut costs at most the last steps, never the file.
    """

    def __init__(self, path: Path, token_bytes: Callable[[int], bytes]) -> None:
        """Open what `fill_session` made, for the thread that calls this. Raises `sqlite3.Error`."""
        self._tokens_known: set[int] = set()
        self._options: dict[GenerateOptions, int] = {}
        self._token_bytes = token_bytes
        self._path = path
        self._connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None, timeout=_PATIENCE_S)
        try:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // _PAGE_BYTES}")
        except BaseException:
            self._connection.close()
            raise
        self._place = self._found()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises `sqlite3.Error`, and `OutputError` when the file was removed or replaced."""
        self._connection.execute("BEGIN IMMEDIATE")
        tokens, options = set(self._tokens_known), dict(self._options)
        try:
            yield
            if self._found() != self._place:
                # What is written now would go to a file that nobody can open any more.
                raise OutputError(f"{one_line(self._path)}: the file was removed or replaced")
            self._connection.execute("COMMIT")
        except BaseException:
            self._tokens_known, self._options = tokens, options
            # After some errors SQLite has rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self, *, tidy: bool = True) -> None:
        """Close; `tidy` makes one file of it, without a log beside it. Raises `sqlite3.Error`."""
        try:
            if tidy:
                # With a journal file, the program's end at this moment would leave one that only a writer can undo.
                self._connection.execute("PRAGMA journal_mode = MEMORY")
        finally:
            self._connection.close()

    # -- inside a transaction

    def add_run(self, run: RunInfo) -> None:
        """A run that begins."""
        self._know_tokens(run.prompt_tokens)
        self._connection.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                run.id, run.parent, run.fork_step, run.started, run.prompt,
                np.asarray(run.prompt_tokens, "<u4").tobytes(), self._options_id(run.options), run.logits,
                int(run.statistics), run.stop_reason,
            ),
        )  # fmt: skip

    def end_run(self, run: int, reason: str) -> None:
        """Why the run has ended."""
        self._connection.execute("UPDATE runs SET stop_reason = ? WHERE id = ?", (reason, run))

    def add_step(self, run: int, step: RecordedStep, logits: bytes | None, statistics: bytes | None) -> None:
        """A step with its candidates; logits in the run's type, statistics as STATISTICS of the live tensors."""
        record, draw = step.record, step.draw
        self._know_tokens([record.token, *(candidate.token for candidate in record.top)])
        execute = self._connection.execute
        execute(
            "INSERT INTO steps VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                run, record.index, step.time, self._options_id(step.options), record.token, record.context_start,
                record.context_length, record.logit, record.probability, record.model_probability, record.rank,
                record.entropy, *astuple(draw), record.forward_ms,
            ),
        )  # fmt: skip
        self._connection.executemany(
            "INSERT INTO candidates VALUES (?,?,?,?,?,?,?,?)",
            [
                (run, record.index, place, c.token, c.logit, c.scaled_delta, c.probability, c.model_probability)
                for place, c in enumerate(record.top, start=1)
            ],
        )
        if logits is not None:
            execute("INSERT INTO logits (run, step, data) VALUES (?,?,?)", (run, record.index, logits))
        if statistics is not None:
            execute("INSERT INTO statistics (run, step, data) VALUES (?,?,?)", (run, record.index, statistics))

    def set_weight_statistics(self, records: Sequence[tuple[str, bytes]]) -> None:
        """One STATISTICS record for each weight, by its name."""
        self._connection.executemany(
            "UPDATE tensors SET statistics = ? WHERE name = ?", [(data, name) for name, data in records]
        )

    def add_event(self, ui_event: UiEvent) -> None:
        """An event of the interface."""
        self._add_ui_event("events", ui_event)

    def add_camera(self, ui_event: UiEvent) -> None:
        """A camera that has moved."""
        self._add_ui_event("cameras", ui_event)

    def _add_ui_event(self, table: str, ui_event: UiEvent) -> None:
        values = (ui_event.time, ui_event.run, ui_event.step, ui_event.name, _json(ui_event.data))
        self._connection.execute(f"INSERT INTO {table} VALUES (NULL,?,?,?,?,?)", values)

    def _know_tokens(self, tokens: Sequence[int]) -> None:
        new = set(tokens) - self._tokens_known
        self._connection.executemany(
            "INSERT OR IGNORE INTO tokens VALUES (?,?)", [(token, self._token_bytes(token)) for token in new]
        )
        self._tokens_known |= new

    def _options_id(self, options: GenerateOptions) -> int:
        if options not in self._options:
            number = len(self._options) + 1
            self._connection.execute("INSERT INTO options VALUES (?,?)", (number, _json(options.as_json())))
            self._options[options] = number
        return self._options[options]

    def _found(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def create_session(path: Path, head: Head, tensors: Sequence[RecordedTensor]) -> None:
    """Make a session file without steps at `path`. Raises `OutputError`, `TakenError` when something is there."""
    with new_session(path) as temporary:
        fill_session(temporary, head, tensors)


@contextmanager
def new_session(path: Path) -> Iterator[Path]:
    """Give an empty temporary file that becomes the recording at `path`, where there must not be anything.

    Raises `OutputError`, also for SQLite's errors in the body; `TakenError` when something is there, however late.
    """
    # A log left behind by a file that was there before would be taken for this one's.
    for leftover in beside(path):
        if os.path.lexists(leftover) and not os.path.lexists(path):
            raise OutputError(f"{one_line(leftover)}: belongs to another recording; remove it or choose another path")
    try:
        with new_path(path) as temporary:
            yield temporary
    except TakenError:
        raise TakenError(
            f"{one_line(path)}: is there already, and a recording replaces nothing; choose another path"
        ) from None
    except sqlite3.Error as error:
        raise OutputError(f"{one_line(path)}: cannot be written ({error}); choose another path") from error


def fill_session(path: Path, head: Head, tensors: Sequence[RecordedTensor]) -> None:
    """Make the empty file at `path` a session without steps. Raises `sqlite3.Error`."""
    config = head.config
    connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("BEGIN")
        create(connection)
        connection.execute(
            "INSERT INTO session VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                head.created, head.program, head.model, head.weights_sha256, config.layers, config.heads,
                config.channels, config.positions, config.vocabulary, config.padded_vocabulary,
                head.end_of_text, head.weights, head.kernels, head.adapter, head.driver, head.shaders_sha256,
                _json(head.versions),
            ),
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO tensors VALUES (?,?,?,?,?,NULL)",
            [(number, t.name, t.kind, t.rows, t.columns) for number, t in enumerate(tensors)],
        )
        connection.execute("COMMIT")
        # Here and not later: switching writes to a file that nobody knows yet.
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
