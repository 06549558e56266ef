"""Keeps the columns of the Lens panel up to date: requests those that are missing, and stores what arrives."""

from __future__ import annotations

from atlas_viewer.state.lens_view import TOP
from atlas_viewer.state.navigation import LENS
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.reader_protocols import LensSource
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import KNOWN_AT
from compute.errors import AtlasError

_MOST = 64  # positions of a request
_QUICK, _SLOW = 0.02, 0.05  # seconds until a result arrives, after which requests become larger or smaller
_SHARE = 12.0  # on a slow adapter, a request takes at most a twelfth of the time while a run is in progress
_CHECKED_EVERY = 1.0  # seconds between self-checks while a run is in progress


class LensUpdater:
    """Connects the logit lens of a model to the state, while somebody looks at it. Nothing here waits for the GPU."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._source: LensSource | None = None
        self._edits = 0
        self._most = 1
        self._asked_at = self._took = self._checked_at = 0.0
        self._asked: tuple[int, int] | None = None  # epoch of the view, and the text's index of row 0
        self._checked: int | None = None  # the pass whose logits were compared
        self._due = False
        self._epoch = 0  # of the view, at the last frame
        self._passes = -1  # of the source, at the last frame
        self._old_passes = -1  # the passes so far that belong to another text than the one on screen

    @property
    def visible(self) -> bool:
        """True if the panel, or the coloring of the generated tokens, shows the lens."""
        ui = self._state.ui
        return LENS in ui.shown or (ui.chip_color == KNOWN_AT and "Generated tokens" in ui.shown)

    @property
    def pending(self) -> bool:
        """True while columns are missing or in flight, so that more frames must be drawn."""
        return self.visible and self._source is not None and (self._due or self._source.waiting)

    def frame(self, model: ModelLike, now: float, interval: float, pass_complete: bool) -> None:
        """Store what has arrived; request what is missing.

        interval: 0 on an adapter that is fast, or has nothing else to do. pass_complete: whether the tensors belong to
        one whole pass. now, interval: in seconds.
        """
        self._due = False
        self._follow(model)
        source, view = self._source, self._state.lens
        if source is None or view.problem or not self.visible:
            return
        try:
            self._take(source, now)
            if not pass_complete or not source.rows:
                return
            self._request(source, now, interval)
        except AtlasError as error:
            view.problem = str(error)

    def _follow(self, model: ModelLike) -> None:
        """Use the model's source; note the text on screen."""
        state, view, run = self._state, self._state.lens, self._state.run
        try:
            source, problem = model.lens, ""
        except AtlasError as error:
            source, problem = None, str(error)
        if source is None:
            view.problem = problem or model.unavailable
        if source is not self._source or (source is not None and source.edit_changes != self._edits):
            view.clear()
            view.problem = view.problem if source is None else ""
            if source is not self._source:
                self._source, self._asked, self._most = source, None, 1
                self._passes, self._epoch = -1, view.epoch
            self._checked = None
            view.points = () if source is None else source.points
            self._edits = 0 if source is None else source.edit_changes
        if source is None or run is None:
            return
        key = (run.number, len(run.steps), run.steps[-1].token if run.steps else None, state.busy)
        if not view.is_known(key):
            tokens = [token for token, _ in run.prompt_tokens] + [step.token for step in run.steps]
            view.follow(key, tokens, state.busy)
        if view.epoch != self._epoch:
            # Between two frames, only the new text is computed.
            self._epoch, self._old_passes = view.epoch, self._passes
        elif self._passes < 0:
            self._old_passes = -1
        self._passes = source.passes

    def _take(self, source: LensSource, now: float) -> None:
        view = self._state.lens
        cells, check = source.take(), source.take_check()
        if check is not None:
            view.check = check
        if cells is None:
            return
        self._took = now - self._asked_at
        if self._took < _QUICK:
            self._most = min(2 * self._most, _MOST)
        elif self._took > _SLOW:
            self._most = max(self._most // 2, 1)
        if self._asked is not None and self._asked[0] == view.epoch:
            view.take(cells, self._asked[1])
        self._asked = None

    def _request(self, source: LensSource, now: float, interval: float) -> None:
        state, view = self._state, self._state.lens
        start = self._text_start(source)
        if start is None or source.passes <= self._old_passes:
            return
        view.start, view.rows = start, source.rows
        wanted = view.missing(not state.busy, self._most)
        check = self._checked != source.passes and (not state.busy or now - self._checked_at >= _CHECKED_EVERY)
        if wanted is None and check and not state.busy:
            wanted = range(start + source.rows - 1, start + source.rows)
        self._due = wanted is not None
        slow = state.busy and interval > 0
        if wanted is None or source.waiting or (slow and now - self._asked_at < max(interval, _SHARE * self._took)):
            return
        rows = range(wanted.start - start, wanted.stop - start)
        if not source.request(rows, view.target, TOP):
            return
        self._asked, self._asked_at = (view.epoch, start), now
        if check and rows.stop == source.rows:
            source.request_check()  # false when edits or a lens file leave nothing to compare
            self._checked, self._checked_at = source.passes, now

    def _text_start(self, source: LensSource) -> int | None:
        """Index in the text of the first row of the latest pass; None while it is unknown.

        It is its absolute position, until the model has no more positions.
        """
        state = self._state
        positions = state.model.positions if state.model else 0
        run, step = state.run, state.step
        if source.first_position + source.rows < positions or run is None or step is None:
            return source.first_position
        return step.context_start if run.done else None
