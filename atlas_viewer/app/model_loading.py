"""Loads the model of the window in steps, between which frames are drawn."""

from __future__ import annotations

import time

from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.state import State
from compute.gpu.loading import Loading

# Seconds that loading may take per frame. A frame costs as much as several steps: with one step per frame, drawing took
# two thirds of a model's loading time.
_TIME = 0.05


class ModelLoading:
    """Takes the steps of one loading at a time and reports its progress in the state."""

    def __init__(self, state: State, load: Loading[ModelLike] | None) -> None:
        self._state, self._load = state, load

    @property
    def pending(self) -> bool:
        """True while steps are left."""
        return self._load is not None

    def begin(self, load: Loading[ModelLike], name: str) -> None:
        """Take the steps of `load` from now on. name: of the model."""
        self._load, self._state.loading = load, f"loading {name}"

    def stop(self) -> None:
        """Abandon the steps that are left, if any."""
        if self._load is not None:
            self._load.close()
            self._end()

    def frame(self) -> ModelLike | None:
        """Take the next steps. Returns the model once, after the last step."""
        until = time.perf_counter() + _TIME
        while self._load is not None:
            try:
                self._state.loading_step, self._state.loaded = next(self._load)
            except StopIteration as end:
                self._end()
                model: ModelLike = end.value
                return model
            if time.perf_counter() >= until:
                break
        return None

    def _end(self) -> None:
        self._load = None
        self._state.loading, self._state.loading_step, self._state.loaded = "", "", 0.0
