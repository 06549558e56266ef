"""Opens another model in the same window: fetched if necessary, loaded between frames, shown once complete."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from atlas_viewer.state import selecting
from atlas_viewer.state.inspection import Inspection
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.quoting import counted
from atlas_viewer.state.recording_state import Question
from atlas_viewer.state.requests import FetchModel, LookUpModel, OpenModel, Request, StopFetch
from atlas_viewer.state.runs import Runs, unsaved
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.gpu.loading import Loading
from compute.io.escape import one_line

from .model_fetching import ModelFetching, known_models


def forget_runs(state: State, positions: int) -> None:
    """Remove everything that belongs to the previous model. positions: those of the new model."""
    mapping = state.inspection.mapping
    state.run, state.runs, state.chosen, state.inspection = None, Runs(), None, Inspection(mapping=mapping)
    state.recording.saved = {}
    state.chat.on = False  # the next model may have no template
    selecting.forget(state)
    state.options = dataclasses.replace(state.options, context=min(state.options.context, positions))


class ModelSwitch:
    """Handles requests about models. The current model stays until the next one has been loaded."""

    def __init__(self, state: State, open_model: Callable[[str], Loading[ModelLike]]) -> None:
        """open_model: starts loading a model, named as for `--model`; raises `AtlasError`s."""
        self._state, self._open_model = state, open_model
        self._fetching = ModelFetching(state.models)
        self._loading: Loading[ModelLike] | None = None
        self._spec = ""  # the model that is being loaded
        self._listed = False

    @property
    def pending(self) -> bool:
        """True while more frames must be drawn."""
        return self._loading is not None or self._fetching.pending

    def do(self, request: Request) -> bool:
        """Handle `request` and return True if it is about models; return False if not."""
        match request:
            case OpenModel(spec, discard):
                self._open(spec, discard=discard)
            case LookUpModel(name):
                self._fetching.look_up(name)
            case FetchModel(name):
                self._fetching.fetch(name)
            case StopFetch():
                self._fetching.stop()
            case _:
                return False
        return True

    def frame(self) -> ModelLike | None:
        """Take the next step of fetching or loading. Returns the new model once, after it has been loaded."""
        opened = self._state.ui.dialog == "models"
        if opened and not self._listed:
            self._state.models.known = known_models()
        elif self._listed and not opened:
            self._state.models.error = ""
        self._listed = opened
        self._fetching.poll()
        if self._loading is None:
            return None
        try:
            self._state.loading_step, self._state.loaded = next(self._loading)
        except StopIteration as end:
            self._stop()
            model: ModelLike = end.value
            return model
        except AtlasError as error:
            self._stop()
            self._refuse(self._spec, error)
        return None

    def _open(self, spec: str, *, discard: bool) -> None:
        """Start loading the model. If earlier runs that no file contains would be lost, ask first."""
        if self._loading is not None:
            return
        state, choices = self._state, self._state.models
        lost = unsaved(state.runs, state.recording.saved)
        if lost and len(state.runs.all) > 1 and not discard:  # a single run can be repeated with its prompt and seed
            runs = f"{counted(len(lost), 'run')} that no file contains will be lost with the present model."
            act = f"Open {one_line(Path(spec).name)}"
            state.recording.question, state.ui.dialog = Question(runs, act, OpenModel(spec, discard=True)), "discard"
            return
        choices.error = ""
        try:
            self._loading = self._open_model(spec)
        except AtlasError as error:
            self._refuse(spec, error)
            return
        self._spec = spec
        state.loading = f"loading {spec}"
        if state.ui.dialog == "models":
            state.ui.dialog = ""

    def _refuse(self, spec: str, error: AtlasError) -> None:
        """Show the error in the models dialog, with the model's path selected."""
        choices = self._state.models
        choices.path, choices.refused, choices.error = spec, True, str(error)
        self._state.ui.dialog = "models"

    def _stop(self) -> None:
        self._loading = None
        self._state.loading, self._state.loading_step, self._state.loaded = "", "", 0.0
