"""Records a window: its runs and branches, interface actions, and cameras."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_viewer.state import recent_files
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.quoting import counted
from atlas_viewer.state.requests import Pause, Record, Request, ResumeWith
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from compute.errors import AtlasError, OutputError, OutputExistsError, RecordingError
from compute.io.escape import one_line
from compute.io.output_files import free_name
from compute.sampling.options import GenerateOptions

from .edit_records import recorded_edits, text_limit
from .event_text import NAME
from .recorder import CanRecord, Recorder, open_recorder
from .ui_recorder import UiRecorder, plain

if TYPE_CHECKING:
    from compute.generate.steps import StepCaptureLike, StepRecord
    from compute.sampling.sampler import SampleResult


@dataclasses.dataclass
class _Written:
    """The part of a run in the window that is in the file."""

    run: int  # its number in the window
    id: int  # its number in the file
    before: int  # steps of the run in the window before its first step in the file
    text: list[int]  # all its tokens, including the prompt
    whole: bool  # the steps before its first one in the file are in the file, too
    ended: bool = False


class LiveRecording:
    """Starts and stops recordings without waiting for the disk. Reports its progress in `state.recording.recorder`."""

    def __init__(self, state: State) -> None:
        self._state, self._progress = state, state.recording.recorder
        self.logits = self.statistics = False
        self._model: CanRecord | None = None
        self._recorder: Recorder | None = None
        self._waits_for: threading.Thread | None = None  # hashes the weights, or closes the file
        self._sha256: tuple[CanRecord, str] | None = None
        self._begun: tuple[int, list[int], GenerateOptions] | None = None  # a generation that has no step yet
        self._written: _Written | None = None  # the latest run
        self._known: dict[int, _Written] = {}  # by the run's number in the window
        self._named: dict[int, str] = {}  # the names in the file
        self._ui_recorder: UiRecorder | None = None
        self._offered = ""  # the name chosen by `_offer`
        if state.live:
            self._offer("session")

    def _offer(self, stem: str) -> None:
        self._progress.path = self._offered = free_name(stem, ".atlas")

    @property
    def pending(self) -> bool:
        """True while more frames are needed."""
        return self._waits_for is not None

    # -- on and off

    def start(self, model: ModelLike, request: Record) -> None:
        """Start a new recording. Raises `OutputError` if the file clearly cannot be written, `RecordingError` if
        `model` cannot be recorded."""
        progress = self._progress
        if progress.stage:
            return
        if not request.path.strip():
            raise OutputError("recording: the file has no name; type one")
        if os.path.lexists(request.path) and request.path != self._offered:
            shown = one_line(request.path)
            self._offer(Path(request.path).stem.rstrip("0123456789-") or "session")
            raise OutputError(f"{shown}: already exists, and a recording never replaces a file; choose another name")
        if not isinstance(model, CanRecord):
            raise RecordingError("runs of this model cannot be recorded: its file is missing")
        progress.path, progress.logits, progress.statistics = request.path, request.logits, request.statistics
        progress.stage, progress.trouble, progress.note, progress.steps, progress.waiting = "preparing", "", "", 0, 0
        self._model = model
        if self._sha256 is not None and self._sha256[0] is model:
            self._open()
            return
        self._waits_for = threading.Thread(target=self._hash, args=(model,), name="weights hash", daemon=True)
        self._waits_for.start()

    def _hash(self, model: CanRecord) -> None:
        try:
            self._sha256 = (model, model.weights_sha256())
        except (AtlasError, ValueError) as error:  # the window was closed in the meantime, or the file was removed
            self._progress.trouble = f"the weights cannot be read ({error}); open the model again"

    def _open(self) -> None:
        """Create the file, and receive the current run's steps, starting with the next one."""
        progress, model = self._progress, self._model
        if model is None or self._sha256 is None or self._sha256[0] is not model:
            self._failed(progress.trouble)
            return
        try:
            self._recorder = self._opened(model, self._sha256[1])
        except AtlasError as error:
            self._failed(str(error))
            return
        progress.stage = "recording"
        self.logits, self.statistics = progress.logits != "none", progress.statistics
        self._ui_recorder = UiRecorder(self._state, self._recorder)
        self._written, self._known, self._named = None, {}, {}
        self._order(self)

    def _opened(self, model: CanRecord, sha256: str) -> Recorder:
        """The recorder. If another program has taken the offered name in the meantime, the next free name is used."""
        while True:
            try:
                return open_recorder(Path(self._progress.path), model.engine, model.tokenizer, sha256)
            except OutputExistsError:
                if self._progress.path != self._offered:
                    raise
                self._offer(Path(self._offered).stem.rstrip("0123456789-") or "session")

    def _failed(self, reason: str) -> None:
        progress = self._progress
        progress.stage, progress.trouble = "", reason
        self._state.messages.append(reason)

    def _order(self, order: LiveRecording | None) -> None:
        """Start or, with None, stop receiving steps; a run in progress pauses and resumes so that this takes effect."""
        assert self._model is not None
        self._model.set_step_listener(order)
        run = self._state.run
        if run is not None and not run.done:
            self._state.requests += [Pause(), ResumeWith(run.options, run.until)]

    def stop(self) -> None:
        """End the recording; a thread writes the remaining entries."""
        if self._progress.stage == "preparing":
            self._progress.stage, self._model = "", None
        if self._recorder is None or self._progress.stage != "recording":
            return
        self._record_end()
        self._progress.stage = "finishing"
        self._order(None)
        self._waits_for = threading.Thread(target=self._recorder.close, name="recording end", daemon=True)
        self._waits_for.start()

    def _record_end(self, *, window: bool = False) -> None:
        """Record the final events before the file is closed; window: the window is closing, too."""
        self._end_run(stopped=window)
        self._record_names()
        if self._ui_recorder is not None:
            self._ui_recorder.end()

    def close(self) -> None:
        """Write the remaining entries after the window has closed. Blocks."""
        if self._recorder is not None:
            if self._progress.stage == "recording":
                self._record_end(window=True)
                self._recorder.close()
            elif self._waits_for is not None:
                self._waits_for.join()
            self._finished(self._recorder)

    def _finished(self, recorder: Recorder) -> None:
        progress = self._progress
        self._follow(recorder)
        progress.note = f"{counted(recorder.steps_written, 'step')} in {one_line(progress.path)}"
        progress.stage, progress.waiting = "", 0
        if self._state.live:
            self._state.ui.recent = recent_files.with_newest(self._state.ui.recent, progress.path)
            self._offer("session")
        self._recorder = self._model = self._ui_recorder = None

    # -- steps, which arrive through `set_step_listener`

    def begun(self, prompt_tokens: Sequence[int], steps: Sequence[StepRecord], options: GenerateOptions) -> None:
        """Note that a generation begins after `steps`."""
        self._begun = (len(prompt_tokens), [*prompt_tokens, *(step.token for step in steps)], options)

    def step(self, record: StepRecord, draw: SampleResult, measured: StepCaptureLike) -> None:
        """Record a step of that generation for the visible run."""
        recorder = self._recorder
        if recorder is None:
            return
        if self._begun is not None:
            self._begin(recorder, *self._begun)
            self._begun = None
        written = self._written
        if written is not None:
            written.text.append(record.token)
            if written.whole:
                self._state.recording.saved[written.run] = record.index + 1
            recorder.step(dataclasses.replace(record, index=record.index - written.before), draw, measured)

    def _begin(self, recorder: Recorder, prompt: int, text: list[int], options: GenerateOptions) -> None:
        """Continue the run in the file if this continues the run in the window; otherwise begin a new run."""
        run, last = self._state.run, self._written
        if run is None:
            return
        applied = self._model.engine.edits if self._model is not None else ()
        edits = recorded_edits(applied, prompt, text_limit(prompt, options))
        if last is not None and last.run == run.number and last.text == text:
            recorder.change_options(options, edits)
            last.ended = False
            return
        self._end_run()
        before = len(text) - prompt
        origin = self._origin(run)
        fork_step = before - origin.before if origin is not None else before
        if origin is None or fork_step < 0:
            parent, fork = None, before or None
        else:
            parent, fork = origin.id, fork_step
        number = recorder.begin_run(
            run.prompt, text, options,
            logits=self._progress.logits, statistics=self._progress.statistics, parent=parent, fork_step=fork,
            edits=edits,
        )  # fmt: skip
        self._written = self._known[run.number] = _Written(
            run.number, number, before, text, not before or (origin is not None and origin.whole)
        )

    def _origin(self, run: Run) -> _Written | None:
        """What was written of the run, or of its nearest recorded ancestor: a paused branch may never be recorded."""
        number: int | None = run.number
        while number is not None and number not in self._known:
            number = self._state.runs.all[number].parent
        return None if number is None else self._known[number]

    def _end_run(self, *, stopped: bool = False) -> None:
        """Record why the latest run has ended, if it has; stopped: it ends now."""
        written = self._written
        run = self._state.runs.all.get(written.run) if written is not None else None
        if written is None or run is None or self._recorder is None or written.ended:
            return
        if run.done or stopped:
            self._recorder.end_run((run.stop_reason if run.done else None) or "stopped")
            written.ended = True

    def _record_names(self) -> None:
        """Record new names of the recorded runs."""
        for number, written in self._known.items():
            run = self._state.runs.all.get(number)
            if run is not None and self._recorder is not None and run.name != self._named.get(written.id, ""):
                self._named[written.id] = run.name
                self._recorder.event(NAME, {"run": written.id, "value": run.name})

    # -- frames

    def frame(self, now: float) -> None:
        """Record what changed in a frame, and update the progress; called after every frame."""
        if self._waits_for is not None and not self._waits_for.is_alive():
            self._waits_for = None
            if self._progress.stage == "preparing":
                self._open()
            elif self._recorder is not None:
                self._finished(self._recorder)
        recorder = self._recorder
        if recorder is None or self._progress.stage != "recording":
            return
        self._end_run()
        self._record_names()
        if self._ui_recorder is not None:
            self._ui_recorder.frame(now)
        self._follow(recorder)
        if recorder.ended:
            self.stop()

    def _follow(self, recorder: Recorder) -> None:
        progress = self._progress
        progress.steps, progress.waiting = recorder.steps_written, recorder.waiting
        trouble = recorder.trouble or ""
        if trouble and not progress.trouble:
            self._state.messages.append(trouble)
        progress.trouble = trouble

    def asked(self, request: Request) -> None:
        """Record a user's request."""
        if self._recorder is None or isinstance(request, Pause | ResumeWith):
            return
        data = {name: plain(value) for name, value in vars(request).items()}
        self._recorder.event(type(request).__name__, data)
