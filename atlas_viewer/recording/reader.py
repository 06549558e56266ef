"""Reads a recording as plain values, each checked before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from compute.errors import RecordingError, UsageError
from compute.generate.steps import Candidate, StepRecord
from compute.io.value_type import shown
from compute.lens.lens_cells import LensCells
from compute.lens.lens_file import LensFile
from compute.lens.points import lens_points
from compute.models.architectures import architectures, describe
from compute.models.config_text import architecture_name
from compute.sampling.options import GenerateOptions
from compute.views.statistics_table import STATISTICS

from . import columns, validate
from .columns import RunTables, Table
from .edit_records import read_edit
from .lens_records import read_lens, read_lens_map
from .records import LOGITS, DrawInfo, Head, LensSteps, RecordedEdit, RecordedStep, RecordedTensor, RunInfo, UiEvent
from .safe_open import Database
from .schema import FIRST_ARCHITECTURE, LENS_FILE_VERSION, LENS_VERSION, SCHEMA, Schema
from .validate import Unsound

T = TypeVar("T")
MEASURED = "WHERE statistics IS NOT NULL ORDER BY id"


class Recording:
    """An open recording, for one thread. While another process is writing to it, `steps` returns more each time.

    Every method raises `RecordingError` if the part of the file that it reads is damaged.
    """

    def __init__(self, path: Path, schema: Schema = SCHEMA) -> None:
        """Check the file and read its head. Raises `RecordingError` if it is not a recording, damaged, or too new."""
        self.path = path
        self._database = self._open(path, schema)
        self._options: dict[int, GenerateOptions] = {}  # by row, those read so far
        self._edits: dict[int, tuple[RecordedEdit, ...]] = {}  # likewise
        try:
            self.head = self._read(self._head)
            self._tables = RunTables(self.head.config)
            self.tensors = self._read(self._tensors)
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
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- recorded values

    def runs(self) -> list[RunInfo]:
        """All runs, in the order in which they began."""
        return self._read(lambda: list(map(self._run, self._rows(self._tables.runs, "ORDER BY id"))))

    def run(self, number: int | None = None) -> RunInfo:
        """The run with that number, by default the last one. Raises `RecordingError` if there is no such run."""
        runs = self.runs()
        for run in reversed(runs):
            if number in (None, run.id):
                return run
        if not runs:
            raise RecordingError(f"{self.shown}: contains no runs; record one")
        known = ", ".join(str(run.id) for run in runs[:20])
        raise RecordingError(f"{self.shown}: has no run {number}; give one of {known}")

    def count(self, run: RunInfo) -> int:
        """The number of recorded steps of the run."""
        row = self._database.row("SELECT count(*) FROM steps WHERE run = ?", (run.id,))
        return int(row[0]) if row else 0

    def steps(self, run: RunInfo, first: int = 0, last: int | None = None) -> list[RecordedStep]:
        """The steps from `first` up to but not including `last`; by default all from `first` on."""
        return self._read(lambda: self._steps(run, first, 2**62 if last is None else last))

    def logits(self, run: RunInfo, step: int) -> np.ndarray | None:
        """The logits of a step as recorded, [vocabulary]; None if they were not recorded."""
        dtype = LOGITS[run.logits]
        if dtype is None:
            return None
        return self._blob("logits", run, step, dtype, self.head.config.vocabulary)

    def statistics(self, run: RunInfo, step: int) -> np.ndarray | None:
        """The STATISTICS of a step, one record per tensor of `live`; None if they were not recorded."""
        return self._blob("statistics", run, step, STATISTICS, len(self.live)) if run.statistics else None

    @cached_property
    def lens_points(self) -> tuple[str, ...]:
        """The points of the residual stream that a recorded lens has. Raises `RecordingError` for a model without."""
        try:
            return lens_points(describe(self.head.config))
        except UsageError as error:
            raise RecordingError(f"{self.shown}: is damaged (lens: {error}); {self._database.advice}") from None

    def lens(self, run: RunInfo, step: StepRecord) -> LensCells | None:
        """The lens at the newest rows of a step's context, with its token as the target; None if not recorded."""
        return self._read(lambda: self._lens(run, step))

    def lens_steps(self, run: RunInfo) -> LensSteps:
        """How much of the lens is recorded."""
        if self._database.version < LENS_VERSION:
            return LensSteps(0, 0)
        of_steps = "WHERE run = ? AND step IN (SELECT step FROM steps WHERE run = ?)"
        rows = self._read(lambda: list(self._rows(self._tables.lens_tops, of_steps, (run.id, run.id))))
        names: list[str] = []
        if self._database.version >= LENS_FILE_VERSION:
            one = "WHERE run = ? LIMIT 1"
            names = self._read(lambda: [name for _, name in self._rows(self._tables.lens_file_names, one, (run.id,))])
        return LensSteps(len(rows), max((top for _, _, top in rows), default=0), names[0] if names else None)

    def lens_file(self, run: RunInfo) -> LensFile | None:
        """The maps that the run's lens uses; None for the logit lens."""
        return self._read(lambda: self._lens_file(run))

    def weight_statistics(self) -> dict[str, np.ndarray]:
        """The STATISTICS record of every weight, by name, where recorded."""
        return self._read(lambda: dict(map(self._weight, self._rows(columns.WEIGHTS, MEASURED))))

    def events(self) -> list[UiEvent]:
        """All interface events, in order."""
        return self._ui_events(columns.EVENTS)

    def cameras(self) -> list[UiEvent]:
        """All camera positions, in order."""
        return self._ui_events(columns.CAMERAS)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token that occurs in the recording. Raises `RecordingError` for any other token."""
        if token not in self._texts:
            self._texts = self._read(lambda: dict(self._rows(columns.TOKENS)))
        try:
            return self._texts[token]
        except KeyError:
            raise RecordingError(f"{self.shown}: is damaged (token {token} has no text)") from None

    def token_text(self, token: int) -> str:
        """The text of one token, with U+FFFD in place of incomplete characters."""
        return self.token_bytes(token).decode(errors="replace")

    # -- reading

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Unsound as error:
            raise RecordingError(f"{self.shown}: is damaged ({error}); {self._database.advice}") from None

    def _rows(self, table: Table, tail: str = "", where: Sequence[object] = ()) -> Iterator[list[Any]]:
        """The checked rows of a table; `tail` selects them, with the values `where`."""
        # Finish the query first: its time limit must not include the processing of the rows.
        for row in self._database.rows(table.query(tail), where):
            yield self._checked(table, row)

    def _checked(self, table: Table, row: Sequence[object]) -> list[Any]:
        """The values of a row. Raises `Unsound`."""
        return table.checked(row)

    def _head(self) -> Head:
        table = columns.HEAD_1 if self._database.version == 1 else columns.HEAD
        row = self._database.row(table.query())
        if row is None:
            raise Unsound("session: its row is missing")
        values = self._checked(table, row)
        if table is columns.HEAD_1:
            values.insert(list(columns.HEAD.columns).index("architecture"), FIRST_ARCHITECTURE)
        created, program, model, name, sha256, *sizes, end, weights, kernels, adapter, driver, shaders, libraries = (
            values
        )
        if architecture_name(name) not in {architecture.name for architecture in architectures()}:
            raise RecordingError(
                f"{self.shown}: was recorded with a model of the architecture"
                f" {shown(architecture_name(name))}, which this program does not know; open it with the program that"
                f" recorded it, {program}"
            )
        return Head(
            created=created,
            program=program,
            model=model,
            weights_sha256=sha256,
            config=validate.config(name, *sizes),
            end_of_text=end,
            weights=weights,
            kernels=kernels,
            adapter=adapter,
            driver=driver,
            shaders_sha256=shaders,
            versions=libraries,
        )

    def _tensors(self) -> list[RecordedTensor]:
        return [RecordedTensor(*row[1:]) for row in self._rows(columns.TENSORS, "ORDER BY id")]

    def _weight(self, row: Sequence[Any]) -> tuple[str, np.ndarray]:
        number, name, data = row
        try:
            return name, validate.array(data, STATISTICS, 1)[0]
        except ValueError as error:
            raise Unsound(f"tensors, id {number}, statistics: {error}") from None

    def _run(self, row: Sequence[Any]) -> RunInfo:
        number, parent, fork, started, prompt, prompt_tokens, options, logits, statistics, reason = row
        known, edits = self._options_of(options), self._edits_of(options)
        return RunInfo(number, parent, fork, started, prompt, prompt_tokens, known, logits, statistics, reason, edits)

    @property
    def has_edits(self) -> bool:
        """True when a step has edits."""
        return self._database.version >= LENS_VERSION and any(True for _ in self._rows(self._tables.edits, "LIMIT 1"))

    def _edits_of(self, number: int) -> tuple[RecordedEdit, ...]:
        """The edits that belong to a row of `options`, in order."""
        if self._database.version < LENS_VERSION:
            return ()
        if number not in self._edits:
            found = self._rows(self._tables.edits, "WHERE options = ? ORDER BY id", (number,))
            self._edits[number] = tuple(map(read_edit, found))
        return self._edits[number]

    def _options_of(self, number: int, context: int = 1) -> GenerateOptions:
        """A row of `options`, for a step that saw `context` tokens."""
        if number not in self._options:
            for _, found in self._rows(self._tables.options, "WHERE id = ?", (number,)):
                self._options[number] = found
                break
            else:
                raise Unsound(f"options: row {number} is missing")
        found = self._options[number]
        if context > found.context:
            raise Unsound(
                f"options, id {number}, json: context {found.context} is below the {context} tokens of a step"
            )
        return found

    def _steps(self, run: RunInfo, first: int, last: int) -> list[RecordedStep]:
        candidates = self._candidates(run, first, last)
        steps: list[RecordedStep] = []
        for row in self._rows(
            self._tables.steps, "WHERE run = ? AND step >= ? AND step < ? ORDER BY step", (run.id, first, last)
        ):
            _, step, time, options, token, start, length, *figures, highest, log_total, scaled, kept, nonfinite = row
            if step != first + len(steps):
                raise Unsound(f"steps, run {run.id}: step {first + len(steps)} is missing")
            drawn_with = self._options_of(options, length)
            logit, probability, model_probability, rank, forward_ms, entropy = figures
            record = StepRecord(
                index=step,
                context_start=start,
                context_length=length,
                token=token,
                text=self.token_text(token),
                logit=logit,
                probability=probability,
                model_probability=model_probability,
                rank=rank,
                forward_ms=forward_ms,
                top=tuple(candidates.get(step, ())),
                entropy=entropy,
                nonfinite_logits=nonfinite,
            )
            draw = DrawInfo(highest, log_total, scaled, kept, nonfinite)
            steps.append(RecordedStep(record, time, drawn_with, draw, self._edits_of(options)))
        return steps

    def _candidates(self, run: RunInfo, first: int, last: int) -> dict[int, list[Candidate]]:
        found: dict[int, list[Candidate]] = {}
        for _, step, _, token, *numbers in self._rows(
            self._tables.candidates,
            "WHERE run = ? AND step >= ? AND step < ? ORDER BY step, place",
            (run.id, first, last),
        ):
            found.setdefault(step, []).append(Candidate(token, self.token_text(token), *numbers))
        return found

    def _blob(self, table: str, run: RunInfo, step: int, dtype: np.dtype[Any], count: int) -> np.ndarray | None:
        row = self._database.row(f"SELECT data FROM {table} WHERE run = ? AND step = ?", (run.id, step))
        if row is None:
            return None
        try:
            return validate.array(row[0], dtype, count)
        except ValueError as error:
            where = f"{table}, run {run.id}, step {step}, data: {error}"
            raise RecordingError(f"{self.shown}: is damaged ({where}); {self._database.advice}") from None

    def _lens(self, run: RunInfo, step: StepRecord) -> LensCells | None:
        if self._database.version < LENS_VERSION:
            return None
        for _, _, count, top, data in self._rows(self._tables.lens, "WHERE run = ? AND step = ?", (run.id, step.index)):
            rows = step.context_length
            try:
                if count > rows:
                    raise Unsound(f"{count} positions exceed the context of {rows} tokens")
                positions = range(rows - count, rows)
                return read_lens(data, self.lens_points, positions, step.token, top, self.head.config.vocabulary)
            except ValueError as error:
                raise Unsound(f"lens, run {run.id}, step {step.index}: {error}") from None
        return None

    def _lens_file(self, run: RunInfo) -> LensFile | None:
        if self._database.version < LENS_FILE_VERSION:
            return None
        found, path = {}, Path()
        for point, file, data in self._rows(self._tables.lens_files, "WHERE run = ? ORDER BY id", (run.id,)):
            path = Path(file)
            try:
                if point not in self.lens_points:
                    raise Unsound("is not a point of the model")
                found[point] = read_lens_map(data, self.head.config.channels)
            except ValueError as error:
                raise Unsound(f"lens_files, run {run.id}, point {point}: {error}") from None
        return LensFile(path, self.head.config.channels, found) if found else None

    def _ui_events(self, table: Table) -> list[UiEvent]:
        return self._read(lambda: [UiEvent(*row[1:]) for row in self._rows(table, "ORDER BY id")])
