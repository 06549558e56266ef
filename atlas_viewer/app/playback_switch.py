"""Plays recordings in the window in place of the live model, which stays in memory, and returns to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.state import recent_files, selecting
from atlas_viewer.state.edit_list import EditList
from atlas_viewer.state.inspection import Inspection
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.recording_state import PlaybackState, Question
from atlas_viewer.state.requests import CloseRecording, OpenRecording, Pause, Request, ShowRun
from atlas_viewer.state.runs import Runs, unsaved
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.forward.load_options import LoadOptions
from compute.io.escape import one_line
from compute.sampling.options import GenerateOptions

from .recorded_model_loading import finding_model

if TYPE_CHECKING:
    from .viewer import Viewer


@dataclasses.dataclass(frozen=True)
class _Shown:
    """What the window shows besides the model: runs and everything that refers to them."""

    runs: Runs
    number: int | None  # of the run on screen
    prompt: str
    options: GenerateOptions
    edits: EditList
    inspection: Inspection
    saved: Mapping[int, int]
    playback: PlaybackState | None

    @classmethod
    def of(cls, state: State) -> _Shown:
        recording, number = state.recording, state.run.number if state.run is not None else None
        return cls(
            state.runs, number, state.prompt, state.options, state.edits, state.inspection, recording.saved,
            recording.playback,
        )  # fmt: skip

    def show(self, state: State) -> None:
        """Put it back on screen."""
        state.runs, state.run = self.runs, self.runs.all.get(self.number or 0)
        state.prompt, state.options, state.inspection = self.prompt, self.options, self.inspection
        state.edits = self.edits
        state.recording.saved, state.recording.playback = dict(self.saved), self.playback
        state.chosen = state.compared = state.distribution = state.comparison = None
        selecting.forget(state)


class PlaybackSwitch:
    """Carries out `OpenRecording` and `CloseRecording` for one viewer."""

    def __init__(self, viewer: Viewer, load: LoadOptions) -> None:
        """load: how to load the model of a recording; the recording decides on context and precision."""
        self._viewer, self._state, self._load = viewer, viewer.state, load
        self._live: tuple[ModelLike, _Shown] | None = None  # while a recording is in its place

    def do(self, request: Request) -> bool:
        """Handle `request` and return True if it opens or closes a recording here; return False if not.

        Raises `RecordingError` if the file cannot be played; the window then shows what it showed before.
        """
        match request:
            case OpenRecording(path, discard):
                self._open(Path(path).expanduser(), discard)
            case CloseRecording(discard) if self._live is not None:
                if discard or not self._asked("Return to the live model", CloseRecording(discard=True)):
                    self.leave()
            case CloseRecording():
                pass
            case _:
                return False
        return True

    def leave(self) -> None:
        """Close the recording, if one has taken the place of the live model, and show the live model again."""
        if self._live is None:
            return
        live, shown = self._live
        self._release()
        self._live, self._state.recording.live = None, ""
        shown.show(self._state)
        self._viewer.use(live)
        self._viewer.canvas.set_title(f"Tensor Atlas - {one_line(live.summary.name)}")
        if shown.number is not None:
            self._state.requests.appendleft(ShowRun(shown.number))

    def _asked(self, act: str, request: Request) -> bool:
        """Ask whether to discard runs that were continued from a recording, and return True, if there are any."""
        state = self._state
        lost = unsaved(state.runs, state.recording.saved)
        if self._viewer.player is None or not lost:
            return False
        runs = "1 run has steps" if len(lost) == 1 else f"{len(lost)} runs have steps"
        state.recording.question = Question(
            f"{runs} that were generated here after the recording was opened and that no file contains.", act, request
        )
        state.ui.dialog = "discard"
        return True

    def _open(self, path: Path, discard: bool) -> None:
        recording = Recording(path)
        try:
            prompt = recording.run().prompt
            if not discard and self._asked(f"Open {path.name}", OpenRecording(str(path), discard=True)):
                recording.close()
                return
            self._halt()
            player = self._player(recording)
        except AtlasError:
            recording.close()
            raise
        state, viewer = self._state, self._viewer
        state.prompt = prompt
        state.recording.saved = {run.number: len(run.known) for run in state.runs.all.values()}
        viewer.play_back(player)
        viewer.canvas.set_title(f"Tensor Atlas - {one_line(path.name)}")
        if state.live:
            state.ui.recent = recent_files.with_newest(state.ui.recent, path)
        live = self._live[0] if self._live is not None else None
        viewer.load(finding_model(player, live, self._load), recording.head.model)

    def _halt(self) -> None:
        """Pause the run and end the recording in progress: a recording contains runs of one model."""
        controller = self._viewer.controller
        if controller is not None:
            controller.do(Pause())
        self._viewer.recordings.end_recording()

    def _player(self, recording: Recording) -> Player:
        """A player whose runs take the place of those in the window, which stay there if the file is damaged."""
        state, viewer = self._state, self._viewer
        before, mapping = _Shown.of(state), state.inspection.mapping
        state.run, state.runs, state.chosen, state.inspection = None, Runs(), None, Inspection(mapping=mapping)
        state.edits = EditList()
        try:
            player = Player(recording, state)
        except AtlasError:
            before.show(state)
            raise
        if viewer.player is None and viewer.controller is not None:
            self._live = viewer.controller.model, before
            state.recording.live = viewer.controller.model.summary.name
        else:
            self._release()
        state.compared = state.distribution = state.comparison = None
        selecting.forget(state)
        return player

    def _release(self) -> None:
        """Close the recording that is played, and its model unless that is the live one."""
        viewer = self._viewer
        viewer.loading.stop()
        if viewer.controller is not None:
            viewer.controller.do(Pause())
            if self._live is None or viewer.controller.model is not self._live[0]:
                viewer.controller.model.close()
        viewer.forget_model()
        if viewer.player is not None:
            viewer.player.close()
            viewer.player = None
