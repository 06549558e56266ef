"""Saves the readable part of a damaged recording as a sound one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compute.errors import RecordingError
from compute.lens.lens_cells import LensCells

from .records import RecordedStep, RunInfo
from .salvage import DamagedRecording
from .store import Store, fill_session, new_session


@dataclass(frozen=True)
class Recovered:
    """How much of a recording could be read."""

    runs: int
    steps: int
    lost: tuple[str, ...]  # what could not be read, in words


def recover(path: Path, target: Path) -> Recovered:
    """Write the readable part of the recording at `path` to a new one at `target`.

    It contains the steps of each run up to the first damaged one, and their logits and statistics unless damaged.
    Raises `RecordingError` if not even the head can be read, or if something is lost and no step is left; `OutputError`
    if `target` cannot be written. In both cases, no `target` is created.
    """
    with DamagedRecording(path) as recording, new_session(target) as temporary:
        fill_session(temporary, recording.head, recording.tensors)
        return _copy(recording, temporary)


def _copy(recording: DamagedRecording, target: Path) -> Recovered:
    runs, steps = recording.runs(), 0
    known = {run.id for run in runs}
    store = Store(target, recording.token_bytes)
    try:
        _weights(recording, store)
        for run in runs:
            # A branch repeats all tokens before it, so it does not need its parent.
            steps += _run(recording, run if run.parent in known else replace(run, parent=None), store)
        _ui_events(recording, store)
    finally:
        store.close()
    if recording.lost and not steps:
        damaged = "; ".join(recording.lost[:3])
        raise RecordingError(f"{recording.shown}: no step can be read (damaged: {damaged}); look for a copy")
    # These alone are not a reason to refuse: readers never see them, so the copy has everything that they could show.
    if not recording.lost and recording.step_count() > steps:
        recording.lost.append("steps that belong to no run")
    return Recovered(len(runs), steps, tuple(recording.report()))


def _run(recording: DamagedRecording, run: RunInfo, store: Store) -> int:
    steps = list(recording.readable_steps(run))
    run, steps = _with_seen_context(recording, run, steps)
    whole = len(steps) == _count(recording, run)
    try:
        lens_file = recording.lens_file(run)
    except RecordingError:
        lens_file = None
        recording.lost.append(f"lens file of run {run.id}")
    with store.transaction():
        store.add_run(run if whole else replace(run, stop_reason=None), lens_file)
    missing = no_lenses = 0
    for step in steps:
        index = step.record.index
        logits, no_logits = _array(recording.logits, run, index)
        statistics, no_statistics = _array(recording.statistics, run, index)
        lens, no_lens = _lens(recording, run, step)
        missing += no_logits or no_statistics
        no_lenses += no_lens
        with store.transaction():
            store.add_step(
                run.id,
                step,
                logits,
                statistics,
                lens,
            )
    if missing:
        recording.lost.append(f"logits or statistics of {missing} steps of run {run.id}")
    if no_lenses:
        recording.lost.append(f"lens of {no_lenses} steps of run {run.id}")
    return len(steps)


def _array(read: Callable[[RunInfo, int], np.ndarray | None], run: RunInfo, step: int) -> tuple[bytes | None, bool]:
    """The bytes of a step's array, None if it has none, and whether it is damaged."""
    try:
        found = read(run, step)
    except RecordingError:
        return None, True
    return None if found is None else found.tobytes(), False


def _lens(recording: DamagedRecording, run: RunInfo, step: RecordedStep) -> tuple[LensCells | None, bool]:
    """The lens of a step, None if it has none, and whether it is damaged."""
    try:
        return recording.lens(run, step.record), False
    except RecordingError:
        return None, True


def _with_seen_context(
    recording: DamagedRecording, run: RunInfo, steps: list[RecordedStep]
) -> tuple[RunInfo, list[RecordedStep]]:
    """The run and its steps; where the options are guessed, their context becomes the longest that a step has seen."""
    guessed = recording.guessed
    if guessed is None or not steps:
        return run, steps
    seen = replace(guessed, context=max(step.record.context_length for step in steps))
    steps = [replace(step, options=seen) if step.options is guessed else step for step in steps]
    return (replace(run, options=seen) if run.options is guessed else run), steps


def _weights(recording: DamagedRecording, store: Store) -> None:
    found = recording.weight_statistics()
    with store.transaction():
        store.set_weight_statistics([(name, record.tobytes()) for name, record in found.items()])


def _ui_events(recording: DamagedRecording, store: Store) -> None:
    with store.transaction():
        for ui_event in recording.events():
            store.add_event(ui_event)
        for ui_event in recording.cameras():
            store.add_camera(ui_event)


def _count(recording: DamagedRecording, run: RunInfo) -> int | None:
    try:
        return recording.count(run)
    except RecordingError:
        return None
