"""Reading a session: everything recorded as plain values, each checked before it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from compute.errors import SessionError
from compute.options import GenerateOptions
from compute.records import Candidate, StepRecord
from compute.statistics_table import STATISTICS

from . import values
from .contents import LOGITS, DrawInfo, Head, Mark, RecordedStep, RecordedTensor, RunInfo
from .schema import SCHEMA, Schema
from .untrusted import Database
from .values import Unsound

T = TypeVar("T")
_FAMILIES = ("embedding", "weight", "activation", "logits")
_MOST_RUNS = 1_000_000


class Session:
    """An open session, for one thread. It may still be written by another process: `steps` then finds more each time.

    Raises `SessionError` from every method when the file is damaged where it has to be read.
    """

    def __init__(self, path: Path, schema: Schema = SCHEMA) -> None:
        """Check the file and read its head. Raises `SessionError` when it is none, damaged, or newer."""
        self.path = path
        self._database = self._open(path, schema)
        self._options: dict[int, GenerateOptions] = {}  # that were read
        try:
            self.head = self._read("the head", self._head)
            self.tensors = self._read("the list of tensors", self._tensors)
            self.live = [tensor for tensor in self.tensors if not tensor.is_weight]
            self._texts: dict[int, bytes] = {}
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path, schema: Schema) -> Database:
        return Database(path, schema)

    @property
    def shown(self) -> str:
        """The path on one line."""
        return self._database.shown

    def close(self) -> None:
        """Give up the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what was recorded

    def runs(self) -> list[RunInfo]:
        """Every run, in the order in which they began."""
        return self._read("the list of runs", self._runs)

    def run(self, number: int | None = None) -> RunInfo:
        """The run of that number, the last one by default. Raises `SessionError` when there is none."""
        runs = self.runs()
        for run in reversed(runs):
            if number in (None, run.id):
                return run
        if not runs:
            raise SessionError(f"{self.shown}: has no run; record one")
        known = ", ".join(str(run.id) for run in runs[:20])
        raise SessionError(f"{self.shown}: has no run {number}; give one of {known}")

    def count(self, run: RunInfo) -> int:
        """How many steps of the run are recorded."""
        row = self._database.row("SELECT count(*) FROM steps WHERE run = ?", (run.id,))
        return int(row[0]) if row else 0

    def steps(self, run: RunInfo, first: int = 0, last: int | None = None) -> list[RecordedStep]:
        """Steps `first` to before `last`, every one from `first` on."""
        return self._read(f"steps of run {run.id}", lambda: self._steps(run, first, 2**62 if last is None else last))

    def logits(self, run: RunInfo, step: int) -> np.ndarray | None:
        """Logits of a step in the type they were recorded in, [vocabulary]; None when they were not."""
        dtype = LOGITS[run.logits]
        if dtype is None:
            return None
        return self._blob("logits", run, step, dtype, self.head.config.vocabulary)

    def statistics(self, run: RunInfo, step: int) -> np.ndarray | None:
        """STATISTICS of a step, a record for each of `live`; None when they were not recorded."""
        return self._blob("statistics", run, step, STATISTICS, len(self.live)) if run.statistics else None

    def weight_statistics(self) -> dict[str, np.ndarray]:
        """STATISTICS, one record, of every weight by name, as far as recorded."""
        rows = self._database.rows("SELECT name, statistics FROM tensors WHERE statistics IS NOT NULL")
        return self._read(
            "statistics of weights",
            lambda: {values.line(name): values.array(data, STATISTICS, 1)[0] for name, data in rows},
        )

    def events(self) -> list[Mark]:
        """Events of the interface, in order."""
        return self._read("the events", lambda: self._marks("events", "kind"))

    def cameras(self) -> list[Mark]:
        """Where the cameras were, in order."""
        return self._read("the cameras", lambda: self._marks("cameras", "view"))

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token that occurs in the session. Raises `SessionError` when it does not."""
        if token not in self._texts:
            rows = self._database.rows("SELECT id, bytes FROM tokens")
            self._texts = self._read(
                "the tokens",
                lambda: {values.integer(id): values.blob(data) for id, data in rows},
            )
        try:
            return self._texts[token]
        except KeyError:
            raise SessionError(f"{self.shown}: is damaged (token {token} has no text)") from None

    def token_text(self, token: int) -> str:
        """How one token is shown; parts of characters become U+FFFD."""
        return self.token_bytes(token).decode(errors="replace")

    # -- reading

    def _read(self, what: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except Unsound as error:
            raise SessionError(f"{self.shown}: is damaged ({what}: {error}); {self._database.advice}") from None

    def _head(self) -> Head:
        row = self._database.row("SELECT * FROM session")
        if row is None:
            raise Unsound("it is missing")
        (_, created, program, model, sha256, *sizes) = row[:11]
        end_of_text, weights, kernels, adapter, driver, shaders, versions = row[11:]
        config = values.config(*sizes)
        line = self._line
        return Head(
            created=line(created),
            program=line(program),
            model=line(model),
            weights_sha256=line(sha256),
            config=config,
            end_of_text=values.integer(end_of_text, 0, 2**32 - 1),
            weights=line(weights),
            kernels=line(kernels),
            adapter=line(adapter),
            driver=line(driver),
            shaders_sha256=line(shaders),
            versions={line(key): line(value) for key, value in self._mapping(versions).items()},
        )

    def _line(self, value: object) -> str:
        """A line of the head."""
        return values.line(value)

    def _mapping(self, value: object) -> dict[str, Any]:
        """An object of the head."""
        return values.mapping(value)

    def _tensors(self) -> list[RecordedTensor]:
        tensors = []
        for name, family, rows, columns in self._database.rows(
            "SELECT name, family, rows, columns FROM tensors ORDER BY id"
        ):
            if family not in _FAMILIES:
                raise Unsound("a family that does not exist")
            most = 2**32 - 1
            tensors.append(
                RecordedTensor(
                    values.line(name), family, values.maybe_integer(rows, 1, most), values.integer(columns, 1, most)
                )
            )
        return tensors

    def _runs(self) -> list[RunInfo]:
        return [self._run(row) for row in self._database.rows("SELECT * FROM runs ORDER BY id")]

    def _run(self, row: tuple[Any, ...]) -> RunInfo:
        number, parent, fork, started, prompt, prompt_tokens, options, logits, statistics, reason = row
        if logits not in LOGITS:
            raise Unsound("a type of logits that does not exist")
        return RunInfo(
            id=values.integer(number, 1, _MOST_RUNS),
            parent=values.maybe_integer(parent, 1, _MOST_RUNS),
            fork_step=values.maybe_integer(fork),
            started=values.real(started),
            prompt=values.text(prompt, 1 << 26),
            prompt_tokens=values.tokens(prompt_tokens, self.head.config.vocabulary),
            options=self._options_of(options),
            logits=logits,
            statistics=bool(values.integer(statistics, 0, 1)),
            stop_reason=None if reason is None else values.line(reason),
        )

    def _options_of(self, number: int) -> GenerateOptions:
        """A row of `options`."""
        if number not in self._options:
            row = self._database.row("SELECT json FROM options WHERE id = ?", (number,))
            if row is None:
                raise Unsound("options are missing")
            self._options[number] = values.options(row[0], self.head.config)
        return self._options[number]

    def _steps(self, run: RunInfo, first: int, last: int) -> list[RecordedStep]:
        candidates = self._candidates(run, first, last)
        steps: list[RecordedStep] = []
        for row in self._database.rows(
            "SELECT * FROM steps WHERE run = ? AND step >= ? AND step < ? ORDER BY step", (run.id, first, last)
        ):
            _, step, time, option, token, start, length, logit, probability, model_probability, rank, *more = row
            entropy, *draw, forward_ms = more
            if step != first + len(steps):
                raise Unsound(f"step {first + len(steps)} is missing")
            token = values.integer(token, 0, self.head.config.vocabulary - 1)
            drawn = _draw(draw)
            record = StepRecord(
                index=step,
                context_start=values.integer(start),
                context_length=values.integer(length, 1, self.head.config.positions),
                token=token,
                text=self.token_text(token),
                logit=values.real(logit),
                probability=values.real(probability),
                model_probability=values.real(model_probability),
                rank=values.integer(rank),
                forward_ms=values.real(forward_ms),
                top=tuple(candidates.get(step, ())),
                entropy=values.real(entropy),
                nonfinite_logits=drawn.nonfinite,
            )
            steps.append(
                RecordedStep(
                    record,
                    values.real(time),
                    self._options_of(option),
                    drawn,
                )
            )
        return steps

    def _candidates(self, run: RunInfo, first: int, last: int) -> dict[int, list[Candidate]]:
        found: dict[int, list[Candidate]] = {}
        for step, token, *numbers in self._database.rows(
            "SELECT step, token, logit, scaled_delta, probability, model_probability FROM candidates"
            " WHERE run = ? AND step >= ? AND step < ? ORDER BY step, place",
            (run.id, first, last),
        ):
            token = values.integer(token, 0, self.head.config.vocabulary - 1)
            candidate = Candidate(token, self.token_text(token), *map(values.real, numbers))
            found.setdefault(step, []).append(candidate)
        return found

    def _blob(self, table: str, run: RunInfo, step: int, dtype: np.dtype[Any], count: int) -> np.ndarray | None:
        row = self._database.row(f"SELECT data FROM {table} WHERE run = ? AND step = ?", (run.id, step))
        if row is None:
            return None
        return self._read(f"{table} of step {step}", lambda: values.array(row[0], dtype, count))

    def _marks(self, table: str, name: str) -> list[Mark]:
        return [
            Mark(
                values.real(time),
                values.maybe_integer(run, 1, _MOST_RUNS),
                values.maybe_integer(step),
                values.line(kind),
                values.mapping(data),
            )
            for time, run, step, kind, data in self._database.rows(
                f"SELECT time, run, step, {name}, json FROM {table} ORDER BY id"
            )
        ]


def _draw(columns: list[Any]) -> DrawInfo:
    highest, log_total, scaled_log_total, kept, nonfinite = columns
    return DrawInfo(
        values.real(highest),
        values.real(log_total),
        values.real(scaled_log_total),
        values.integer(kept),
        values.integer(nonfinite),
    )
