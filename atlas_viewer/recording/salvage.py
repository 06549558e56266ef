"""Reads a damaged recording: leaves out or guesses the damaged parts, and reports them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compute.errors import RecordingError
from compute.generate.steps import Candidate
from compute.io.value_type import shown
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer

from . import columns
from .columns import Table
from .reader import MEASURED, Recording
from .records import RecordedEdit, RecordedStep, RecordedTensor, RunInfo, UiEvent
from .safe_open import Database
from .schema import SCHEMA, Schema
from .validate import Unsound

# How the report describes the rows of a table in which damaged values were replaced.
_REPLACED = {
    "session": "part of the head",
    "runs": "part of the description of {} runs",
    "steps": "numbers of {} steps",
    "candidates": "numbers of {} candidates",
}


class DamagedRecording(Recording):
    """A recording as far as it can be read. Like `Recording`, it trusts nothing in the file.

    lost: what could not be read, in words.
    """

    def __init__(self, path: Path, schema: Schema = SCHEMA) -> None:
        """Open the file. Raises `RecordingError` if not even the head can be read."""
        self.lost: list[str] = []
        self.guessed: GenerateOptions | None = None  # replaces damaged options
        # Names of the rows with replaced values, by table; a set, because a row may be read more than once.
        self._replaced: defaultdict[str, set[str]] = defaultdict(set)
        self._other_texts: set[int] = set()
        self._without_candidates: set[tuple[int, int]] = set()
        super().__init__(path, schema)

    def _open(self, path: Path, schema: Schema) -> Database:
        return Database(path, schema, damaged=True)

    def runs(self) -> list[RunInfo]:
        """All readable runs."""
        found: list[RunInfo] = []
        for number in self._run_numbers():
            try:
                found += map(self._run, self._rows(self._tables.runs, "WHERE id = ?", (number,)))
            except (RecordingError, Unsound):
                self.lost.append(f"run {shown(number)}")
        return found

    def _run_numbers(self) -> list[int]:
        """The numbers of the runs, read from both ends of the list up to the damage."""
        found: set[int] = set()
        for order in ("ASC", "DESC"):
            try:
                for (number,) in self._database.each_row(f"SELECT id FROM runs ORDER BY id {order}"):
                    found.add(number)
                return sorted(found)
            except RecordingError:
                continue
        self.lost.append("part of the list of runs")
        return sorted(found)

    def weight_statistics(self) -> dict[str, np.ndarray]:
        """The readable statistics of weights."""
        found: dict[str, np.ndarray] = {}
        bad = 0
        for row in self._whole_rows(columns.WEIGHTS.query(MEASURED), "statistics of weights"):
            try:
                name, record = self._weight(columns.WEIGHTS.checked(row))
                found[name] = record
            except Unsound:
                bad += 1
        if bad:
            self.lost.append(f"statistics of {bad} weights")
        return found

    def _ui_events(self, table: Table) -> list[UiEvent]:
        """The readable events or camera positions."""
        found: list[UiEvent] = []
        bad = 0
        for row in self._whole_rows(table.query("ORDER BY id"), table.name):
            try:
                found.append(UiEvent(*table.checked(row)[1:]))
            except Unsound:
                bad += 1
        if bad:
            self.lost.append(f"{bad} of {bad + len(found)} {table.name}")
        return found

    def _whole_rows(self, query: str, what: str) -> list[Sequence[object]]:
        """The rows before the damage to the file."""
        found: list[Sequence[object]] = []
        try:
            for row in self._database.each_row(query):
                found.append(row)
        except RecordingError:
            self.lost.append(f"{what}, all but {len(found)}" if found else what)
        return found

    def step_count(self) -> int:
        """The number of steps in the file, readable or not; 0 if it cannot be counted."""
        try:
            row = self._database.row("SELECT count(*) FROM steps")
        except RecordingError:
            return 0
        return int(row[0]) if row else 0

    def readable_steps(self, run: RunInfo) -> Iterator[RecordedStep]:
        """The steps of a run up to the first damaged one."""
        first, many = 0, 1 << 16
        while True:
            try:
                steps = self.steps(run, first, first + many)
            except RecordingError:
                if many == 1:
                    self.lost.append(f"run {run.id} from step {first + 1} on")
                    return
                many //= 2  # one of this many steps is damaged
                continue
            yield from steps
            first += len(steps)
            if len(steps) < many:
                self._without_candidates.discard((run.id, first))  # there is no such step
                if self._goes_on(run, first):
                    self.lost.append(f"run {run.id} from step {first + 1} on")
                return

    def _goes_on(self, run: RunInfo, step: int) -> bool:
        """True if the run may have steps from `step` on: the table of a truncated file can lack some in its middle."""
        try:
            return self._database.row("SELECT 1 FROM steps WHERE run = ? AND step >= ?", (run.id, step)) is not None
        except RecordingError:
            return True

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; if damaged, those in GPT-2's vocabulary, or U+FFFD for another vocabulary."""
        if token not in self._texts:
            try:
                ((_, self._texts[token]),) = self._rows(columns.TOKENS, "WHERE id = ?", (token,))
            except (RecordingError, ValueError):  # `Unsound`, or no row
                self._other_texts.add(token)
                self._texts[token] = self._default_text(token)
        return self._texts[token]

    def _default_text(self, token: int) -> bytes:
        tokenizer = load_tokenizer()
        known = self.head.config.vocabulary == tokenizer.vocabulary
        return tokenizer.token_bytes(token) if known else "\ufffd".encode()

    def report(self) -> list[str]:
        """What was lost and what was guessed, in words."""
        guesses = []
        for table, what in _REPLACED.items():
            if self._replaced[table]:
                guesses.append(what.format(len(self._replaced[table])))
        if self._without_candidates:
            guesses.append(f"candidates of {len(self._without_candidates)} steps")
        if self._other_texts:
            guesses.append(f"texts of {len(self._other_texts)} tokens, replaced by those of GPT-2 or U+FFFD")
        if self.guessed is not None:
            guesses.append("options of some steps, replaced by the defaults")
        return self.lost + guesses

    # -- reading

    def _checked(self, table: Table, row: Sequence[object]) -> list[Any]:
        found, damaged = table.salvaged(row)
        if damaged:
            self._replaced[table.name].add(table.row_name(row))
        return found

    def _tensors(self) -> list[RecordedTensor]:
        try:
            return super()._tensors()
        except (RecordingError, Unsound):
            self.lost.append("the list of tensors, and with it their statistics")
            return []

    def _options_of(self, number: int, context: int = 1) -> GenerateOptions:
        try:
            return super()._options_of(number, context)
        except (RecordingError, Unsound):
            if self.guessed is None:
                config = self.head.config
                self.guessed = GenerateOptions(context=config.positions, top=min(8, config.vocabulary))
            self._options.setdefault(number, self.guessed)  # an unreadable row is read only once
            return self.guessed

    def _edits_of(self, number: int) -> tuple[RecordedEdit, ...]:
        try:
            return super()._edits_of(number)
        except (RecordingError, Unsound):
            self.lost.append(f"edits of row {number} of options")
            self._edits[number] = ()
            return ()

    def _candidates(self, run: RunInfo, first: int, last: int) -> dict[int, list[Candidate]]:
        try:
            return super()._candidates(run, first, last)
        except (RecordingError, Unsound):
            if last - first > 1:
                raise
            self._without_candidates.add((run.id, first))
            return {}
