"""Writes a recording with SQL statements only, without thread or queue."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

import numpy as np

from compute.errors import OutputError, OutputExistsError
from compute.io.escape import one_line
from compute.io.output_files import new_path
from compute.lens.lens_cells import LensCells
from compute.lens.lens_file import LensFile
from compute.models.config_text import architecture_text
from compute.sampling.options import GenerateOptions

from .lens_records import lens_bytes, lens_map_bytes
from .records import Head, RecordedEdit, RecordedStep, RecordedTensor, RunInfo, UiEvent
from .safe_open import beside
from .schema import create, uri

_PATIENCE_S = 1.0  # the longest wait for readers to release the file
# A step's logits take 100 kB. With SQLite's default page size and a checkpoint every 4 MB, writing takes a third
# longer. Larger pages would make short recordings large.
_PAGE_BYTES, _LOG_BYTES = 8192, 16 << 20


class Store:
    """A recording that is being written. Everything in one `transaction` is written completely or not at all.

    The write-ahead log is not flushed at every commit: committed data survives a crash of the program at any moment,
    and a power failure costs at most the last steps, never the file.
    """

    def __init__(self, path: Path, token_bytes: Callable[[int], bytes]) -> None:
        """Open a file that `fill_session` made, for use in the calling thread. Raises `sqlite3.Error`."""
        self._known_tokens: set[int] = set()
        self._options: dict[tuple[GenerateOptions, tuple[RecordedEdit, ...]], int] = {}
        self._token_bytes = token_bytes
        self._path = path
        self._connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None, timeout=_PATIENCE_S)
        try:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // _PAGE_BYTES}")
        except BaseException:
            self._connection.close()
            raise
        self._identity = self._current_identity()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the whole body or none of it. Raises `sqlite3.Error`; `OutputError` if the file was replaced."""
        self._connection.execute("BEGIN IMMEDIATE")
        tokens, options = set(self._known_tokens), dict(self._options)
        try:
            yield
            if self._current_identity() != self._identity:
                # The data would go to a file that can no longer be opened.
                raise OutputError(f"{one_line(self._path)}: the file was removed or replaced")
            self._connection.execute("COMMIT")
        except BaseException:
            self._known_tokens, self._options = tokens, options
            # After some errors, SQLite has already rolled back.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self, *, tidy: bool = True) -> None:
        """Close the file; `tidy` merges the log into it. Raises `sqlite3.Error`."""
        try:
            if tidy:
                # If the program ended at this moment, a journal on disk would need a writer to roll it back.
                self._connection.execute("PRAGMA journal_mode = MEMORY")
        finally:
            self._connection.close()

    # -- inside a transaction

    def add_run(self, run: RunInfo, lens_file: LensFile | None = None) -> None:
        """Add a run that is starting, and the maps that its lens uses."""
        self._add_tokens(run.prompt_tokens)
        self._connection.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                run.id, run.parent, run.fork_step, run.started, run.prompt,
                np.asarray(run.prompt_tokens, "<u4").tobytes(), self._options_id(run.options, run.edits), run.logits,
                int(run.statistics), run.stop_reason,
            ),
        )  # fmt: skip
        if lens_file is not None:
            name = one_line(lens_file.path)
            self._connection.executemany(
                "INSERT INTO lens_files (run, point, file, data) VALUES (?,?,?,?)",
                [(run.id, point, name, lens_map_bytes(*maps)) for point, maps in lens_file.entries.items()],
            )

    def end_run(self, run: int, reason: str) -> None:
        """Store why the run has ended."""
        self._connection.execute("UPDATE runs SET stop_reason = ? WHERE id = ?", (reason, run))

    def add_step(
        self,
        run: int,
        step: RecordedStep,
        logits: bytes | None,
        statistics: bytes | None,
        lens: LensCells | None = None,
    ) -> None:
        """Add a step with its candidates; logits in the run's type, STATISTICS for the live tensors, and the lens."""
        record, draw, options = step.record, step.draw, self._options_id(step.options, step.edits)
        self._add_tokens([record.token, *(candidate.token for candidate in record.top)])
        execute = self._connection.execute
        execute(
            "INSERT INTO steps VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                run, record.index, step.time, options, record.token, record.context_start,
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
        if lens is not None:
            self._add_tokens([token for token in np.unique(lens.top_tokens).tolist() if token >= 0])
            _, positions, top = lens.top_tokens.shape
            values = (run, record.index, positions, top, lens_bytes(lens))
            execute("INSERT INTO lens (run, step, positions, top, data) VALUES (?,?,?,?,?)", values)

    def set_weight_statistics(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Store one STATISTICS record per weight, given with the weight's name."""
        self._connection.executemany(
            "UPDATE tensors SET statistics = ? WHERE name = ?", [(data, name) for name, data in records]
        )

    def add_event(self, ui_event: UiEvent) -> None:
        """Add an interface event."""
        self._add_ui_event("events", ui_event)

    def add_camera(self, ui_event: UiEvent) -> None:
        """Add a camera position."""
        self._add_ui_event("cameras", ui_event)

    def _add_ui_event(self, table: str, ui_event: UiEvent) -> None:
        values = (ui_event.time, ui_event.run, ui_event.step, ui_event.name, _json(ui_event.data))
        self._connection.execute(f"INSERT INTO {table} VALUES (NULL,?,?,?,?,?)", values)

    def _add_tokens(self, tokens: Sequence[int]) -> None:
        new = set(tokens) - self._known_tokens
        self._connection.executemany(
            "INSERT OR IGNORE INTO tokens VALUES (?,?)", [(token, self._token_bytes(token)) for token in new]
        )
        self._known_tokens |= new

    def _options_id(self, options: GenerateOptions, edits: tuple[RecordedEdit, ...]) -> int:
        key = options, edits
        if key not in self._options:
            number = len(self._options) + 1
            self._connection.execute("INSERT INTO options VALUES (?,?)", (number, _json(options.as_json())))
            self._connection.executemany(
                "INSERT INTO edits VALUES (NULL,?,?,?,?,?,?,?,?)",
                [
                    (number, e.text, e.prompt, e.tokens, *e.values.shape, e.values.astype("<f4").tobytes())
                    for e in edits
                ],
            )
            self._options[key] = number
        return self._options[key]

    def _current_identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def create_session(path: Path, head: Head, tensors: Sequence[RecordedTensor]) -> None:
    """Create a recording without steps at `path`. Raises `OutputError`; `OutputExistsError` if the path exists."""
    with new_session(path) as temporary:
        fill_session(temporary, head, tensors)


@contextmanager
def new_session(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file that becomes the recording at `path`, which must not exist.

    Raises `OutputError`, even for SQLite errors in the body; `OutputExistsError` if the path exists, even if it
    has only just appeared.
    """
    # SQLite would mistake a log left behind by another file for this file's log.
    for leftover in beside(path):
        if os.path.lexists(leftover) and not os.path.lexists(path):
            raise OutputError(f"{one_line(leftover)}: belongs to another recording; remove it or choose another path")
    try:
        with new_path(path) as temporary:
            yield temporary
    except OutputExistsError:
        raise OutputExistsError(
            f"{one_line(path)}: already exists, and a recording never replaces a file; choose another path"
        ) from None
    except sqlite3.Error as error:
        raise OutputError(f"{one_line(path)}: cannot be written ({error}); choose another path") from error


def fill_session(path: Path, head: Head, tensors: Sequence[RecordedTensor]) -> None:
    """Turn the empty file at `path` into a recording without steps. Raises `sqlite3.Error`."""
    config = head.config
    connection = sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("BEGIN")
        create(connection)
        connection.execute(
            "INSERT INTO session VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                head.created, head.program, head.model, architecture_text(config), head.weights_sha256, config.layers,
                config.heads, config.channels, config.positions, config.vocabulary, config.padded_vocabulary,
                head.end_of_text, head.weights, head.kernels, head.adapter, head.driver, head.shaders_sha256,
                _json(head.versions),
            ),
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO tensors VALUES (?,?,?,?,?,NULL)",
            [(number, t.name, t.kind, t.rows, t.columns) for number, t in enumerate(tensors)],
        )
        connection.execute("COMMIT")
        # The switch writes to the file, so it happens before anyone can open it.
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
