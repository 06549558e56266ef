"""What is left of a damaged session, as a sound one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compute.errors import SessionError

from .records import RecordedStep, RunInfo
from .salvage import DamagedSession
from .store import Store, fill_session, new_session


@dataclass(frozen=True)
class Recovered:
    """How much of a session could be read."""

    runs: int
    steps: int
    lost: tuple[str, ...]  # what could not, in words


def recover(path: Path, target: Path) -> Recovered:
    """Write what can be read of the session at `path` to a new one at `target`.

    Of each run the steps up to the first that is damaged; of steps that are kept, logits and statistics where they are
    sound. Raises `SessionError` when not even the head can be read, or something is lost and no step is left;
    `OutputError` when `target` cannot be written; then there is no `target`.
    """
    with DamagedSession(path) as session, new_session(target) as temporary:
        fill_session(temporary, session.head, session.tensors)
        return _copy(session, temporary)


def _copy(session: DamagedSession, target: Path) -> Recovered:
    runs, steps = session.runs(), 0
    known = {run.id for run in runs}
    store = Store(target, session.token_bytes)
    try:
        _weights(session, store)
        for run in runs:
            # All tokens before a branch are its own, too: it can stand alone.
            steps += _run(session, run if run.parent in known else replace(run, parent=None), store)
        _marks(session, store)
    finally:
        store.close()
    if session.lost and not steps:
        told = "; ".join(session.lost[:3])
        raise SessionError(f"{session.shown}: no step can be read (damaged: {told}); look for a copy")
    # These alone are no reason to refuse: a reader does not miss them, so the copy has all that the file shows.
    if not session.lost and session.step_count() > steps:
        session.lost.append("steps that belong to no run")
    return Recovered(len(runs), steps, tuple(session.told()))


def _run(session: DamagedSession, run: RunInfo, store: Store) -> int:
    steps = list(session.readable_steps(run))
    run, steps = _with_window(session, run, steps)
    whole = len(steps) == _count(session, run)
    with store.transaction():
        store.add_run(run if whole else replace(run, stop_reason=None))
    missing = 0
    for step in steps:
        index = step.record.index
        logits, no_logits = _array(session.logits, run, index)
        statistics, no_statistics = _array(session.statistics, run, index)
        missing += no_logits or no_statistics
        with store.transaction():
            store.add_step(
                run.id,
                step,
                logits,
                statistics,
            )
    if missing:
        session.lost.append(f"logits or statistics of {missing} steps of run {run.id}")
    return len(steps)


def _array(read: Callable[[RunInfo, int], np.ndarray | None], run: RunInfo, step: int) -> tuple[bytes | None, bool]:
    """The bytes of what was recorded of a step, if anything was; and whether it is damaged."""
    try:
        found = read(run, step)
    except SessionError:
        return None, True
    return None if found is None else found.tobytes(), False


def _with_window(
    session: DamagedSession, run: RunInfo, steps: list[RecordedStep]
) -> tuple[RunInfo, list[RecordedStep]]:
    """Where options are guessed, with the window that the steps show."""
    guessed = session.guessed
    if guessed is None or not steps:
        return run, steps
    seen = replace(guessed, context=max(step.record.context_length for step in steps))
    steps = [replace(step, options=seen) if step.options is guessed else step for step in steps]
    return (replace(run, options=seen) if run.options is guessed else run), steps


def _weights(session: DamagedSession, store: Store) -> None:
    found = session.weight_statistics()
    with store.transaction():
        store.set_weight_statistics([(name, record.tobytes()) for name, record in found.items()])


def _marks(session: DamagedSession, store: Store) -> None:
    with store.transaction():
        for mark in session.events():
            store.add_event(mark)
        for mark in session.cameras():
            store.add_camera(mark)


def _count(session: DamagedSession, run: RunInfo) -> int | None:
    try:
        return session.count(run)
    except SessionError:
        return None
