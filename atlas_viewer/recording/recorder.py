"""Records runs. A separate thread writes, so that no frame waits for the disk."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from atlas_viewer import __version__
from atlas_viewer.state.protocols import StepListener
from compute.errors import OutputError
from compute.forward.engine import Engine
from compute.generate.steps import StepCaptureLike, StepRecord
from compute.io.escape import one_line
from compute.io.system_errors import reason_of
from compute.lens.lens_cells import LensCells
from compute.lens.lens_file import LensFile
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import SampleResult
from compute.text.tokenizer import Tokenizer

from .lens_records import lens_of
from .records import (
    LOGITS,
    DrawInfo,
    Head,
    RecordedEdit,
    RecordedStep,
    RecordedTensor,
    RunInfo,
    UiEvent,
    head_of,
    tensors_of,
)
from .store import Store, create_session

_HEAVY_BYTES = 64 << 20  # above this queue size, logits and statistics of new steps are left out
# Above this number of entries, recording ends: a recording with gaps in its text could not be replayed.
_WAITING = 20_000

PROGRAM = f"atlas-viewer {__version__}"  # the program that writes the recording

Job = Callable[[Store], None]


@dataclass(frozen=True)
class _Item:
    job: Job | None  # None ends the thread
    heavy: int = 0  # bytes of its arrays
    step: tuple[int, int] | None = None  # run and number of its step


class Recorder:
    """Records runs into a new file. Every method except `close` returns at once, however slow the disk is.

    `trouble` reports what cannot be recorded. No method raises an exception for it: the run continues without being
    recorded.
    """

    def __init__(
        self,
        path: Path,
        head: Head,
        tensors: Sequence[RecordedTensor],
        token_bytes: Callable[[int], bytes],
        *,
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        """Create the file. Raises `OutputError` if that fails.

        token_bytes: returns the bytes of a token; on_step: called in the writer thread with run and step after the
        step is committed.
        """
        create_session(path, head, tensors)
        self.path = path
        self.steps_written = 0
        self._shown = one_line(path)
        self._weights = [tensor.name for tensor in tensors if tensor.is_weight]
        self._token_bytes, self._on_step = token_bytes, on_step
        self._began = time.monotonic()
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._heavy = 0  # bytes in the queue
        self._lock = threading.Lock()  # of _heavy
        self._failure: str | None = None  # why nothing more is accepted; the queue is still written unless `_broken`
        self._broken = False  # the file can no longer be written to
        self._thinned = 0  # steps whose logits and statistics were left out
        self._runs = self._lens_top = 0
        self._config = head.config
        self._run: RunInfo | None = None
        self._options = GenerateOptions()  # the current ones
        self._edits: tuple[RecordedEdit, ...] = ()
        self._step = 0
        self._measured_weights = False
        self._thread = threading.Thread(target=self._write, name="recording writer", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """What is not recorded and why, in one line; None if everything is recorded."""
        if self._failure is not None:
            return self._failure
        if self._thinned:
            return (
                f"{self._shown}: logits and statistics of {self._thinned} steps are not recorded:"
                " the disk is slower than the run; record without logits"
            )
        return None

    @property
    def ended(self) -> bool:
        """True if nothing more is recorded; `trouble` says why."""
        return self._failure is not None

    @property
    def waiting(self) -> int:
        """The number of entries in the queue."""
        return self._queue.qsize()

    def begin_run(
        self,
        prompt: str,
        prompt_tokens: Sequence[int],
        options: GenerateOptions,
        *,
        logits: str = "f16",
        statistics: bool = True,
        parent: int | None = None,
        fork_step: int | None = None,
        lens_top: int = 0,
        lens_file: LensFile | None = None,
        edits: tuple[RecordedEdit, ...] = (),
    ) -> int:
        """Begin a run and return its number, counted from 1. Later steps, events and cameras belong to it.

        logits: "none", "f16" or "f32"; prompt_tokens: everything before the first step; parent, fork_step: for a
        branch, its parent and the step of the parent that its first step replaces. Without a parent, fork_step is
        the number of steps before the recording began. lens_top: tokens of each cell, for steps captured with a lens.
        lens_file: the maps that this lens uses. edits: what every pass of the run changes.
        """
        self._lens_top = lens_top
        self._runs += 1
        self._step = 0
        self._edits = edits
        run = RunInfo(
            self._runs,
            parent,
            fork_step,
            self._now(),
            prompt,
            tuple(prompt_tokens),
            options,
            logits,
            statistics,
            None,
            self._edits,
        )
        self._run, self._options = run, options
        self._put(_Item(lambda store: store.add_run(run, lens_file)))
        return run.id

    def step(self, record: StepRecord, draw: SampleResult, measured: StepCaptureLike | None = None) -> None:
        """Record a step of the run; `compute.generate.step_capture.StepCapturer` calls this."""
        run = self._run
        if run is None:
            raise RuntimeError("a step before its run")
        self._step = record.index + 1
        step = RecordedStep(record, self._now(), self._options, draw_info(draw), self._edits)
        heavy = len(measured.data) if measured is not None else 0
        with self._lock:
            if heavy and self._heavy + heavy > _HEAVY_BYTES:
                measured, heavy = None, 0
                self._thinned += 1
            self._heavy += heavy
        top = self._lens_top
        self._put(_Item(lambda store: self._add_step(store, run, step, measured, top), heavy, (run.id, record.index)))

    def change_options(self, options: GenerateOptions, edits: tuple[RecordedEdit, ...] = ()) -> None:
        """Use these options and edits for all later steps."""
        self._options, self._edits = options, edits

    def end_run(self, reason: str) -> None:
        """Record why the run has ended."""
        run = self._run
        if run is not None:
            self._put(_Item(lambda store: store.end_run(run.id, reason)))

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record an interface event; `data` must be plain JSON values."""
        ui_event = self._ui_event(kind, data)
        self._put(_Item(lambda store: store.add_event(ui_event)))

    def camera(self, view: str, data: Mapping[str, Any]) -> None:
        """Record the camera of `view`, "strip" or "map"; for `data` see cameras.py."""
        ui_event = self._ui_event(view, data)
        self._put(_Item(lambda store: store.add_camera(ui_event)))

    def close(self) -> None:
        """Write the remaining entries and close the file. Blocks. `trouble` reports what could not be written."""
        self._queue.put(_Item(None))
        self._thread.join()

    # -- the caller's thread

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _ui_event(self, name: str, data: Mapping[str, Any]) -> UiEvent:
        run = self._run
        return UiEvent(self._now(), run.id if run else None, self._step if run else None, name, dict(data))

    def _put(self, item: _Item) -> None:
        if self._failure is not None:
            return
        if self._queue.qsize() >= _WAITING:
            self._failed("the disk is slower than the run", item)
            return
        self._queue.put(item)

    def _failed(self, reason: str, item: _Item, *, kept: bool = True) -> None:
        where = f"from step {item.step[1] + 1} of run {item.step[0]} on" if item.step else "any more"
        before = "what was recorded before is kept" if kept else "what was recorded before is lost"
        self._failure = f"{self._shown}: nothing is recorded {where}: {reason}; {before}, start a new recording"
        if kept:
            self._failure += " elsewhere"

    # -- the writer thread

    def _write(self) -> None:
        store = None
        try:
            store = Store(self.path, self._token_bytes)
        except sqlite3.Error as error:
            self._break(_reason(error), _Item(None))
        while True:
            item = self._queue.get()
            with self._lock:
                self._heavy -= item.heavy
            if item.job is None:
                break
            if store is not None and not self._broken:
                self._do(store, item.job, item)
        if store is not None:
            try:
                store.close(tidy=not self._broken)
            except sqlite3.Error as error:
                self._failure = self._failure or (
                    f"{self._shown}: everything is recorded, but part of it is in {self._shown}-wal"
                    f" ({_reason(error)}); keep both files"
                )

    def _break(self, reason: str, item: _Item, *, kept: bool = True) -> None:
        self._broken = True
        self._failed(reason, item, kept=kept)

    def _do(self, store: Store, job: Job, item: _Item) -> None:
        try:
            with store.transaction():
                job(store)
        except OutputError:
            self._break("the file was removed or replaced", item, kept=False)
        except (sqlite3.Error, OSError) as error:
            self._break(_reason(error), item)
        except Exception as error:
            # A bug must neither end the run nor leave a thread that no longer reads the queue.
            self._break(f"unexpected {type(error).__name__}: {error}", item)
        else:
            if item.step is not None:
                self.steps_written += 1
                if self._on_step is not None:
                    self._on_step(*item.step)

    def _add_step(
        self, store: Store, run: RunInfo, step: RecordedStep, measured: StepCaptureLike | None, lens_top: int
    ) -> None:
        logits = statistics = None
        dtype = LOGITS[run.logits]
        if measured is not None:
            values, table = measured.logits, measured.statistics
            if values is not None and dtype is not None:
                with np.errstate(over="ignore"):  # values beyond the range of float16 become infinite
                    logits = values.astype(dtype).tobytes()
            if table is not None and run.statistics:
                statistics = table.tobytes()
                self._add_weights(store, measured)
        store.add_step(run.id, step, logits, statistics, self._lens(step.record, measured, lens_top))

    def _lens(self, record: StepRecord, measured: StepCaptureLike | None, top: int) -> LensCells | None:
        data = measured.lens if measured is not None and top else None
        if data is None:
            return None
        return lens_of(data, record, self._config, top)

    def _add_weights(self, store: Store, measured: StepCaptureLike) -> None:
        if self._measured_weights:
            return
        table = measured.weight_statistics
        if table is not None:
            records = [(name, table[number].tobytes()) for number, name in enumerate(self._weights)]
            store.set_weight_statistics(records)
            self._measured_weights = True


def draw_info(draw: SampleResult) -> DrawInfo:
    """The part of a draw that is recorded."""
    return DrawInfo(draw.highest, draw.log_total, draw.scaled_log_total, draw.kept, draw.nonfinite)


def _reason(error: Exception) -> str:
    if isinstance(error, sqlite3.Error) and "full" in str(error):
        return "the disk is full"
    return reason_of(error)


@runtime_checkable
class CanRecord(Protocol):
    """A model whose runs can be recorded; a recorded model cannot be recorded again."""

    def weights_sha256(self) -> str:
        """The hash of its weights. Slow; any thread may call it. Raises `AtlasError`, `ValueError`."""

    def set_step_listener(self, listener: StepListener | None) -> None:
        """Report to `listener` every step of generations that start from now on."""

    @property
    def engine(self) -> Engine:
        """The engine that runs the model."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""


def open_recorder(path: Path, engine: Engine, tokenizer: Tokenizer, weights_sha256: str) -> Recorder:
    """A recorder that writes the runs of `engine` to a new file at `path`. Raises `OutputError`.

    weights_sha256: see compute/weights/fingerprint.py.
    """
    head = head_of(engine, weights_sha256, PROGRAM, tokenizer.end_of_text)
    return Recorder(path, head, tensors_of(engine), tokenizer.token_bytes)
