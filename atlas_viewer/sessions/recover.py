"""What is left of a damaged session, as a sound one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from compute.errors import SessionError
from compute.llmc import one_line

from .contents import RecordedStep, RunInfo
from .reader import Session
from .store import Store, create_session

T = TypeVar("T")


@dataclass(frozen=True)
class Recovered:
    """How much of a session could be read."""

    runs: int
    steps: int
    lost: tuple[str, ...]  # what could not, in words


def recover(path: Path, target: Path) -> Recovered:
    """Write what can be read of the session at `path` to a new one at `target`.

    Of each run the steps up to the first that is damaged; of steps that are kept, logits and statistics where they are
    sound. Raises `SessionError` when not even the head can be read, `OutputError` when `target` cannot be written.
    """
    with Session(path) as session:
        lost: list[str] = []
        runs = _try(session.runs, "the list of runs", lost) or []
        create_session(target, session.head, session.tensors)
        steps = 0
        try:
            store = Store(target, session.token_bytes)
            try:
                _weights(session, store, lost)
                for run in runs:
                    steps += _run(session, run, store, lost)
                _marks(session, store, lost)
            finally:
                store.close()
        except sqlite3.Error as error:
            raise SessionError(f"{one_line(target)}: cannot be written ({error}); choose another path") from error
        return Recovered(len(runs), steps, tuple(lost))


def _run(session: Session, run: RunInfo, store: Store, lost: list[str]) -> int:
    steps = _readable_steps(session, run, lost)
    reason = run.stop_reason if len(steps) == _try(lambda: session.count(run), "", []) else None
    with store.transaction():
        store.add_run(replace(run, stop_reason=reason))
    missing = 0
    for step in steps:
        index = step.record.index
        logits = statistics = None
        try:
            logits = session.logits(run, index)
            statistics = session.statistics(run, index)
        except SessionError:
            missing += 1
        with store.transaction():
            store.add_step(
                run.id,
                step,
                logits.tobytes() if logits is not None else None,
                statistics.tobytes() if statistics is not None else None,
            )
    if missing:
        lost.append(f"logits or statistics of {missing} steps of run {run.id}")
    return len(steps)


def _readable_steps(session: Session, run: RunInfo, lost: list[str]) -> list[RecordedStep]:
    try:
        return session.steps(run)
    except SessionError:
        pass
    steps: list[RecordedStep] = []
    while True:
        try:
            more = session.steps(run, len(steps), len(steps) + 1)
        except SessionError:
            lost.append(f"run {run.id} from step {len(steps) + 1} on")
            return steps
        if not more:
            # The steps are there, one by one; what was damaged lies behind them.
            lost.append(f"what may have followed step {len(steps)} of run {run.id}")
            return steps
        steps += more


def _weights(session: Session, store: Store, lost: list[str]) -> None:
    found = _try(session.weight_statistics, "statistics of weights", lost) or {}
    with store.transaction():
        store.set_weight_statistics([(name, record.tobytes()) for name, record in found.items()])


def _marks(session: Session, store: Store, lost: list[str]) -> None:
    with store.transaction():
        for mark in _try(session.events, "events", lost) or []:
            store.add_event(mark)
        for mark in _try(session.cameras, "cameras", lost) or []:
            store.add_camera(mark)


def _try(read: Callable[[], T], what: str, lost: list[str]) -> T | None:
    try:
        return read()
    except SessionError:
        lost.append(what)
        return None
