"""Opens another model in the same window: fetched if necessary, loaded between frames, shown once complete."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.requests import FetchModel, LookUpModel, OpenModel, Request, StopFetch
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.gpu.loading import Loading

from .model_fetching import ModelFetching, known_models


class ModelSwitch:
    """Handles requests about models. The current model stays until the next one has been loaded."""

    def __init__(self, state: State, open_model: Callable[[str], Loading[ModelLike]]) -> None:
        """open_model: starts loading a model, named as for `--model`; raises `AtlasError`s."""
        self._state, self._open_model = state, open_model
        self._fetching = ModelFetching(state.models)
        self._loading: Loading[ModelLike] | None = None
        self._listed = False

    @property
    def pending(self) -> bool:
        """True while more frames must be drawn."""
        return self._loading is not None or self._fetching.pending

    def do(self, request: Request) -> bool:
        """Handle `request` and return True if it is about models; return False if not."""
        match request:
            case OpenModel(spec):
                self._open(spec)
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
            self._state.messages.append(str(error))
        return None

    def _open(self, spec: str) -> None:
        if self._loading is not None:
            return
        try:
            self._loading = self._open_model(spec)
        except AtlasError as error:
            self._state.messages.append(str(error))
            return
        self._state.loading = f"loading {spec}"

    def _stop(self) -> None:
        self._loading = None
        self._state.loading, self._state.loading_step, self._state.loaded = "", "", 0.0
