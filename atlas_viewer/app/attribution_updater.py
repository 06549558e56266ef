"""Keeps the Attribution panel up to date while it is visible: requests the parts of a logit and stores them."""

from __future__ import annotations

from atlas_viewer.state.attribution_protocols import AttributionSource
from atlas_viewer.state.attribution_view import NEURONS, STREAM, Aim, Shown, aim_at
from atlas_viewer.state.navigation import ATTRIBUTION
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_start
from compute.errors import AtlasError, UsageError


class AttributionUpdater:
    """Connects a source of attributions to the state. Nothing here waits for the GPU."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._source: AttributionSource | None = None
        self._shown: AttributionSource | None = None  # the latest one, also while the panel is hidden
        self._asked: tuple[Aim, int] | None = None  # what the latest parts were requested for, and in which pass
        self._asked_stream: tuple[int, int] | None = None  # likewise: row and pass
        self._wanted: Aim | None = None
        self._at = 0.0
        self._due = False

    @property
    def visible(self) -> bool:
        """True if the panel was drawn in the last frame."""
        return ATTRIBUTION in self._state.ui.shown

    @property
    def pending(self) -> bool:
        """True while the panel is visible but does not show the latest pass, so that more frames are drawn."""
        source = self._source
        return source is not None and self.visible and (source.pending or self._due)

    def follow(self, model: ModelLike) -> None:
        """Use the source of `model` while the panel is visible; a model whose context has grown has a new one."""
        view = self._state.attribution
        if not self.visible:
            self._source = None  # it may belong to a model that is no longer there
            view.marks = {}
            return
        try:
            source, view.problem = model.attribution, ""
        except UsageError as error:
            source, view.problem = None, str(error)
        if source is None and not view.problem:
            view.problem = model.unavailable
        if source is not self._source:
            self._source, self._asked, self._asked_stream = source, None, None
            if source is not self._shown:
                view.clear()  # these are parts of another model
            self._shown = source

    def frame(self, now: float, interval: float, pass_complete: bool) -> None:
        """Store what has arrived, and request what the panel wants.

        pass_complete: whether the tensors belong to one whole pass. now, interval: in seconds; later passes are shown
        at least `interval` apart, but another target at once.
        """
        source, view = self._source, self._state.attribution
        if source is None or not self.visible:
            return
        self._take(source)
        self._due = False
        if not pass_complete:
            return
        self._wanted = self._aim(source)
        wanted = self._wanted
        if wanted is None:
            view.current = False
            return
        asked = (wanted, source.passes)
        view.current = view.shown is not None and view.shown.aim == wanted
        same = self._asked is not None and self._asked[0] == wanted
        soon = self._asked is None or not same or now - self._at >= interval
        self._due = asked != self._asked
        if self._due and soon and source.request_parts(wanted.target, wanted.against, wanted.row):
            self._asked, self._at, self._due = asked, now, False
        if view.section == STREAM:
            stream = (wanted.row, source.passes)
            if stream != self._asked_stream:
                self._due = True
                if soon and source.request_stream(wanted.row):
                    self._asked_stream = stream
        if view.section == NEURONS:
            self._request_rows(source)

    def _aim(self, source: AttributionSource) -> Aim | None:
        """What the panel wants; None while there is nothing, or what was typed is wrong."""
        state, view = self._state, self._state.attribution
        run, step = state.run, state.step
        view.error = ""
        if run is None or step is None:
            return None
        predicted, start = len(run.prompt_tokens) + step.index - 1, context_start(state)
        try:
            aim = aim_at(view, step.token, predicted, start, source.rows, source.token_id)
        except AtlasError as error:
            view.error = str(error)
            return None
        return aim if 0 <= aim.row < source.rows else None  # its pass is not there yet

    def _request_rows(self, source: AttributionSource) -> None:
        """Request the weights of the neurons that the panel lists; those that are known stay."""
        view = self._state.attribution
        neurons = view.shown.parts.neurons if view.shown is not None else ()
        unknown = [neuron for neuron in neurons if (neuron.reads, neuron.index) not in view.rows]
        if unknown and not source.request_rows(neurons):
            self._due = True

    def _take(self, source: AttributionSource) -> None:
        view = self._state.attribution
        parts, stream = source.take_parts(), source.take_stream()
        if parts is not None and self._asked is not None:
            aim = self._asked[0]
            if (parts.target, parts.against, parts.position) == (aim.target, aim.against, aim.row):
                view.shown = Shown(aim, parts)
        if stream is not None:
            view.stream = stream
        rows = source.take_rows()
        if rows is not None:
            view.rows = {(row.name, row.index): row.values for row in rows}
