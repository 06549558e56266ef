"""Shows a step of a paused or finished run by repeating its pass and fetching its logits. Never waits."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.protocols import LogitsSource, ModelLike, ReplayLike
from atlas_viewer.state.state import State
from compute.edits.resolved import ResolvedEdit


class StepReplayer:
    """Brings the engine's tensors, `state.distribution` and `state.comparison` to the chosen step."""

    def __init__(self, model: ModelLike, state: State) -> None:
        self._model, self._state = model, state
        self._replay: ReplayLike | None = None
        self._replay_options = state.options  # those of `_replay`
        self._replay_edits: Sequence[ResolvedEdit] | None = None  # likewise
        self._at: int | None = None  # the step of the shown run whose pass is in the engine
        self._asked: tuple[int, int, LogitsSource] | None = None  # run and step of the readback in flight
        self._unknown: set[int] = set()  # steps of the shown run without recorded logits

    @property
    def pass_complete(self) -> bool:
        """True unless a pass is in progress."""
        return self._replay is None or self._replay.pass_complete

    @property
    def at(self) -> int | None:
        """The step of the run shown whose pass is in the engine; None if it is not known."""
        return self._at

    @property
    def pending(self) -> bool:
        """True while a pass must be repeated or logits are in flight."""
        return self._asked is not None or self._wanted() is not None

    def set_step(self, step: int | None) -> None:
        """Record that the engine now holds the pass for `step` of the run shown, or None if it is not known which pass
        it holds."""
        self._at = step

    def leave(self) -> None:
        """Forget the pass in the engine, because something else uses the engine now."""
        self._replay, self._at = None, None

    def forget(self) -> None:
        """Forget everything, because another run is shown or the engine has been replaced."""
        self.leave()
        self._asked = None
        self._unknown.clear()

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of GPU work; return True if there is a new pass to show. Raises `AtlasError`s."""
        run = self._state.run
        self._take_logits()
        wanted = self._wanted()
        if wanted is None or run is None:
            return False
        arrived = False
        if self._at != wanted:
            options, edits = run.options_at(wanted), run.edits_at(wanted)
            if self._replay is None or self._replay_options != options or self._replay_edits is not edits:
                self._replay = self._model.replay(run.prompt_tokens, run.known or run.steps, options, edits)
                self._replay_options, self._replay_edits = options, edits
            self._replay.seek(wanted)
            arrived = self._replay.advance(budget_s)
            self._at = self._replay.at
            if self._at != wanted:
                return arrived
        source = self._model.logits
        if source is None:
            self._unknown.add(wanted)
        elif source.request():
            self._asked = (run.number, wanted, source)
        else:
            source.take()  # logits of a run that is no longer shown are in flight
        return arrived

    def _wanted(self) -> int | None:
        """The step whose pass or logits are needed next; None if nothing is needed or a run is generating."""
        state, run = self._state, self._state.run
        if run is None or not run.done or not run.steps or run.stop_reason == "nonfinite":
            return None
        if self._asked is not None:
            return None  # the pass must stay in the engine until its logits have been fetched
        compared = state.compared
        wanted = compared is not None and state.comparison is None and compared not in self._unknown
        if wanted and compared is not None and compared < len(run.steps):
            return compared
        shown = len(run.steps) - 1 if state.chosen is None else min(state.chosen, len(run.steps) - 1)
        known = shown in self._unknown or (state.distribution is not None and state.distribution.step == shown)
        return None if self._at == shown and known else shown

    def _take_logits(self) -> None:
        if self._asked is None:
            return
        number, step, source = self._asked
        logits = source.take()
        if logits is None:
            return
        self._asked = None
        state, run = self._state, self._state.run
        if run is None or run.number != number or step >= len(run.steps):
            return
        record = run.steps[step]
        tokens = [*(token for token, _ in run.prompt_tokens), *(known.token for known in run.steps[:step])]
        context = tuple(tokens[-record.context_length :])
        distribution = Distribution(step, logits, run.options_at(step), context)
        if step == state.compared and state.comparison is None:
            state.comparison = distribution
        else:
            state.distribution = distribution
