"""Connects the Patching panel to what computes its maps: starts and advances sweeps, applies cells, saves files."""

from __future__ import annotations

from pathlib import Path

from atlas_viewer.state import patching_fields
from atlas_viewer.state.navigation import PATCHING
from atlas_viewer.state.patching_view import MapResult, Steering
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.reader_protocols import SweepSource
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.io.escape import one_line

from .patching_files import write_map

_UNSEEN = 0.2  # seconds of a slice in pictures and tours, where nobody waits for a frame


class PatchingUpdater:
    """Keeps `state.patching` up to date. Nothing here waits for the GPU."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._source: SweepSource | None = None
        self._fields: object = None  # those that were checked last
        self._running = False

    @property
    def pending(self) -> bool:
        """True while a sweep is in progress or about to be, so that more frames are drawn."""
        view = self._state.patching
        return self._running or view.start or view.cancel or bool(view.save)

    def frame(self, model: ModelLike, budget: float) -> None:
        """Do what the panel wants, and advance the sweep by about `budget` seconds of GPU time."""
        view = self._state.patching
        visible = PATCHING in self._state.ui.shown
        if not (visible or self._running or view.start):
            return
        self._follow(model)
        if self._source is None:
            view.start = view.cancel = False
            return
        self._check(model)
        try:
            self._begin_or_end(self._source)
            self._advance(self._source, budget)
            self._save(self._source)
        except AtlasError as error:
            self._running = False
            view.start, view.save, view.total = False, "", 0
            view.failure = str(error)

    def _follow(self, model: ModelLike) -> None:
        """Use the model's source; another model has other maps."""
        view, source, problem = self._state.patching, None, ""
        try:
            source = model.sweeps
        except AtlasError as error:
            problem = str(error)
        if source is not self._source:
            if self._source is not None:
                self._source.cancel()
                view.clear()
            self._source, self._fields, self._running = source, None, False
            view.done = view.total = 0
            view.points = () if source is None else source.points
        view.problem = problem or ("" if source is not None else model.unavailable)

    def _check(self, model: ModelLike) -> None:
        """Find out what the fields ask for, whenever they have changed."""
        state, view = self._state, self._state.patching
        target = patching_fields.default_target(state) if not view.target else None
        fields = (
            view.section, patching_fields.clean_text(state), patching_fields.corrupt_text(state), view.target,
            view.against, view.over, view.direction, view.to, view.control, view.texts_a, view.texts_b, view.at,
            view.position, target,
        )  # fmt: skip
        if fields != self._fields and model.tokenizer is not None:
            self._fields = fields
            patching_fields.check(state, model.tokenizer)

    def _begin_or_end(self, source: SweepSource) -> None:
        view = self._state.patching
        if view.cancel:
            source.cancel()
            view.cancel, view.total, self._running = False, 0, False
            view.note = "stopped"
        if view.start:
            view.start = False
            if view.job is not None:
                view.note = view.failure = ""
                source.start(view.job, self._state.edits.active)
                self._running = True

    def _advance(self, source: SweepSource, budget: float) -> None:
        view = self._state.patching
        view.waiting = self._running and self._state.busy
        if not self._running:
            return
        if not view.waiting:
            found = source.advance(budget if self._state.live else _UNSEEN)
            if found is not None:
                self._running = False
                self._take(found)
        view.done, view.total = source.done, source.total

    def _take(self, found: MapResult | Steering) -> None:
        view = self._state.patching
        if isinstance(found, Steering):
            view.steering, view.entry = found, None
            return
        view.results[found.job.section] = found
        view.chosen = None
        view.shows_control = view.shows_control and found.control is not None

    def _save(self, source: SweepSource) -> None:
        view = self._state.patching
        if not view.save:
            return
        path, view.save = Path(view.save).expanduser(), ""
        if view.section == "steer":
            assert view.steering is not None
            source.save(view.steering, path)
        else:
            assert view.result is not None
            write_map(path, view.result, self._state.model, control=view.shows_control)
        view.note = f"saved {one_line(str(path.absolute()))}"
