"""Saves tensors on request: frames fetch the values from the GPU without waiting, and a thread writes the file."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path

from atlas_viewer.state.requests import CloseRecording, OpenRecording, Pause, Request, SaveTensors, StopSaving
from atlas_viewer.state.state import State
from atlas_viewer.state.tensor_file_protocols import TensorFilesLike, TensorsReading
from atlas_viewer.state.tensor_save import origin, pass_text, pass_tokens
from compute.errors import AtlasError, UsageError
from compute.io.escape import one_line
from compute.io.output_files import free_name
from compute.io.size_text import size_text
from compute.io.system_errors import first_line

from .run_controller import RunController

_MAX_WAITING = 2  # slices for the thread


class TensorSaving:
    """Saves one file at a time, and keeps `state.save` up to date.

    While values are being fetched, the controller is held, so that all are from one pass. Then only the thread is left:
    it reads weights from the model's file, which must stay open until `pending` is false.
    """

    def __init__(self, state: State) -> None:
        self._state, self._status = state, state.save
        self._request: SaveTensors | None = None  # that has not begun
        self._needs_pass = False  # it waits for the pass of the step shown
        self._writer: _Writer | None = None
        self._slices: Iterator[bytes | None] | None = None  # those that have not been passed to the writer
        self._fetched: bytes | None = None  # one for which the writer had no space
        self._shown: object = None  # what `selected` and `unknown` were computed from
        self._outcome, self._path = "", Path()
        self._postponed: list[Request] = []  # they would close the model that is being read

    @property
    def pending(self) -> bool:
        """True while a file is being saved, so that more frames must be drawn."""
        return self._request is not None or self._writer is not None

    def do(self, controller: RunController, request: Request) -> bool:
        """Handle `request` and return True if it is about saving tensors or has to wait; return False if not."""
        match request:
            case SaveTensors():
                self._ask(controller, request)
            case StopSaving():
                self._stop()
            case OpenRecording() | CloseRecording() if self.pending:
                self._postponed.append(request)
            case _:
                return False
        return True

    def frame(self, controller: RunController) -> None:
        """Describe what is selected, start the save that was asked for, and pass on slices that have arrived."""
        files = controller.model.tensor_files
        self._status.possible = files is not None
        if files is not None and self._state.ui.dialog == "save":
            self._describe(files)
        try:
            if self._request is not None and not (self._needs_pass and controller.settling):
                request, self._request = self._request, None
                self._begin(controller, request)
            self._feed()
        except AtlasError as error:
            self._stop()
            self._fail(str(error))
        if self._writer is not None:
            self._follow(self._writer)
        controller.held = self._slices is not None
        if not self.pending:
            self._state.requests.extend(self._postponed)
            self._postponed.clear()

    def close(self) -> None:
        """Stop, because the window has closed; an unfinished file is removed. Blocks until the thread has ended."""
        self._stop()
        if self._writer is not None:
            self._writer.join()

    # -- the dialog

    def _describe(self, files: TensorFilesLike) -> None:
        status = self._status
        shown = (status.names, status.scheme, files, files.rows, self.pending)
        if shown == self._shown:
            return
        self._shown = shown
        stem, suffix = "tensors", ".npz"
        status.selected, status.unknown = (), ""
        if status.names.strip():
            try:
                selection = files.select(status.names, status.scheme)
                status.selected, status.of_pass = selection.specs(files.rows), selection.needs_pass
            except UsageError as error:
                status.unknown = str(error)
        if len(status.selected) == 1:
            stem, suffix = status.selected[0].name, ".npy"
        follows = status.path in ("", status.suggested)
        status.suggested = free_name(stem, suffix) if self._state.live else stem + suffix
        if follows:
            status.path = status.suggested

    # -- one save

    def _ask(self, controller: RunController, request: SaveTensors) -> None:
        status, files = self._status, controller.model.tensor_files
        if self.pending:
            return
        status.note = status.trouble = ""
        try:
            if files is None:
                raise UsageError(controller.model.unavailable)
            self._needs_pass = files.select(request.names, request.scheme).needs_pass
            if self._needs_pass and self._state.busy:
                controller.do(Pause())
        except AtlasError as error:
            self._fail(str(error))
            return
        status.stage, status.done, status.total = "waiting", 0, 0
        self._request = request

    def _begin(self, controller: RunController, request: SaveTensors) -> None:
        """Start reading the engine's pass. Raises `AtlasError`s."""
        model, run, step = controller.model, self._state.run, controller.step_in_engine
        files = model.tensor_files
        if files is None:
            raise UsageError(model.unavailable)
        tokens: list[int] = []
        if not self._needs_pass:
            run = step = None
        elif run is None or step is None:
            raise UsageError("no pass of this run is in memory: generate a token, or choose a step")
        else:
            tokens = pass_tokens(run, step, files.rows)
        reading = files.reading(request.names, request.scheme, request.path, tokens)
        self._slices = reading.arriving()
        self._status.stage, self._status.total = "saving", reading.nbytes
        self._path = Path(request.path).absolute()
        what = f"{size_text(reading.nbytes)} from {pass_text(model.summary, run, step)}"
        self._outcome = f"saved {what} to {one_line(self._path)}"
        metadata = origin(model.summary, run, step, files.first_position)
        self._writer = _Writer(reading, metadata)

    def _feed(self) -> None:
        """Pass on the slice that has arrived, if the writer has space for it. Raises `DeviceError`."""
        while self._slices is not None and self._writer is not None:
            if self._fetched is None:
                try:
                    self._fetched = next(self._slices)
                except StopIteration:
                    self._slices = None
                    return
            if self._fetched is None or not self._writer.offer(self._fetched):
                return
            self._fetched = None

    def _follow(self, writer: _Writer) -> None:
        """Report the writer's progress, and its outcome once it has ended."""
        ended = not writer.is_alive()  # checked first, so that what is read below is final
        self._status.done = writer.done
        if not ended:
            return
        self._writer = self._slices = self._fetched = None
        self._status.stage = ""
        if writer.failure:
            self._fail(writer.failure)
        elif writer.complete:
            self._status.note = self._outcome
            if self._state.ui.dialog != "save":
                self._state.ui.saved, self._state.ui.saved_at = str(self._path), time.monotonic()
        else:
            self._status.note = "stopped; nothing was saved"

    def _stop(self) -> None:
        if self._request is not None:
            self._request, self._status.stage = None, ""
        self._slices = self._fetched = None
        if self._writer is not None:
            self._writer.cancel()

    def _fail(self, message: str) -> None:
        status = self._status
        status.trouble = message
        if self._writer is None:
            status.stage = ""
        if self._state.ui.dialog != "save":
            self._state.messages.append(message)


class _Writer(threading.Thread):
    """Writes one file. `complete` and `failure` are final once it has ended; after `cancel` no file remains."""

    def __init__(self, reading: TensorsReading, metadata: dict[str, str]) -> None:
        """Starts at once."""
        super().__init__(name="tensors", daemon=True)
        self.done = 0  # bytes written
        self.complete, self.failure = False, ""
        self._reading, self._metadata = reading, metadata
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MAX_WAITING)
        self._cancelled = threading.Event()
        self.start()

    def offer(self, data: bytes) -> bool:
        """Accept the next slice if there is space for it. Never blocks."""
        try:
            self._waiting.put_nowait(data)
        except queue.Full:
            return False
        return True

    def cancel(self) -> None:
        """Let it end soon. Nothing may be offered afterwards."""
        self._cancelled.set()
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._waiting.put_nowait(None)  # wakes it

    def run(self) -> None:
        """The work of the thread."""
        try:
            self._reading.write(self._pull, self._metadata, self._report)
            self.complete = True
        except CancelledError:
            pass
        except AtlasError as error:
            self.failure = str(error)
        except Exception as error:  # reported like the others, so that the window stays open
            self.failure = f"saving tensors: unexpected {type(error).__name__}: {first_line(error)}"

    def _pull(self) -> bytes:
        data = self._waiting.get()
        if data is None or self._cancelled.is_set():
            raise CancelledError
        return data

    def _report(self, done: int) -> None:
        if self._cancelled.is_set():
            raise CancelledError
        self.done = done
