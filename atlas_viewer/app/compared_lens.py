"""Keeps the lens of B up to date while the Lens panel is visible: requests missing columns, and stores what arrives."""

from __future__ import annotations

from atlas_viewer.state.comparison_protocols import ComparedViews
from atlas_viewer.state.lens_view import TOP
from atlas_viewer.state.navigation import LENS
from atlas_viewer.state.reader_protocols import LensSource
from atlas_viewer.state.state import State
from compute.errors import AtlasError

_QUICK, _SLOW, _MOST = 0.02, 0.05, 64  # as for the lens of A: seconds, and positions of a request


class ComparedLens:
    """The columns of B's lens. Nothing here waits for the GPU."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._source: LensSource | None = None
        self._asked: tuple[object, int] | None = None  # the view and the epoch that the request is for
        self._most, self._asked_at = 1, 0.0
        self._due = False

    @property
    def pending(self) -> bool:
        """True while columns are missing or in flight."""
        return self._due or (self._source is not None and self._source.waiting)

    def frame(self, views: ComparedViews | None, now: float) -> None:
        """Store what has arrived, request what is missing. now: in seconds."""
        self._due = False
        comparing = self._state.comparing
        if views is None or not comparing.ready or LENS not in self._state.ui.shown:
            self._source = None
            return
        try:
            self._source = source = views.lens
            if source is None:
                return
            self._take(source, now)
            self._request(source, now)
        except AtlasError as error:
            comparing.lens.problem = str(error)

    def _take(self, source: LensSource, now: float) -> None:
        cells, view = source.take(), self._state.comparing.lens
        if cells is None:
            return
        took = now - self._asked_at
        if took < _QUICK:
            self._most = min(2 * self._most, _MOST)
        elif took > _SLOW:
            self._most = max(self._most // 2, 1)
        if self._asked == (view, view.epoch):
            view.take(cells, view.start)
        self._asked = None

    def _request(self, source: LensSource, now: float) -> None:
        view, ours = self._state.comparing.lens, self._state.lens
        if view.problem:
            return
        view.points, view.start, view.rows, view.target = source.points, source.first_position, source.rows, ours.target
        wanted = view.missing(settled=True, most=self._most)
        self._due = wanted is not None
        if wanted is None or source.waiting:
            return
        rows = range(wanted.start - view.start, wanted.stop - view.start)
        if source.request(rows, ours.target, TOP):
            self._asked, self._asked_at = (view, view.epoch), now
