"""Which step of a run that rests the engine shows: its pass is made again, and its logits are fetched. Never waits."""

from __future__ import annotations

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.protocols import LogitsSource, ModelLike, ReplayLike
from atlas_viewer.state.state import State


class StepReplayer:
    """Brings the engine to the step that is looked at, and `state.distribution` and `state.comparison` with it."""

    def __init__(self, model: ModelLike, state: State) -> None:
        self._model, self._state = model, state
        self._replay: ReplayLike | None = None
        self._replayed = state.options  # what the replay's passes are made with
        self._at: int | None = None  # step whose pass the engine holds, of the run that is shown
        self._asked: tuple[int, int, LogitsSource] | None = None  # run and step whose logits are on their way
        self._unknown: set[int] = set()  # steps of the run that is shown whose logits nobody has

    @property
    def pass_complete(self) -> bool:
        """True unless a pass is partly made."""
        return self._replay is None or self._replay.pass_complete

    @property
    def pending(self) -> bool:
        """True while the engine is on its way to a step, or logits are to the host."""
        return self._asked is not None or self._wanted() is not None

    def holds(self, step: int | None) -> None:
        """The engine holds the pass of this step of the run that is shown; None: of one that nobody knows."""
        self._at = step

    def leave(self) -> None:
        """Something else uses the engine from now on."""
        self._replay, self._at = None, None

    def forget(self) -> None:
        """Another run is shown, or the engine is another one."""
        self.leave()
        self._asked = None
        self._unknown.clear()

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of GPU work; True when views have something new to show. Raises `AtlasError`s."""
        run = self._state.run
        self._take_logits()
        wanted = self._wanted()
        if wanted is None or run is None:
            return False
        arrived = False
        if self._at != wanted:
            options = run.options_at(wanted)
            if self._replay is None or self._replayed != options:
                self._replay = self._model.replay(run.prompt_tokens, run.known or run.steps, options)
                self._replayed = options
            self._replay.seek(wanted)
            arrived = self._replay.advance(budget_s)
            self._at = self._replay.at
            if self._at != wanted:
                return arrived
        source = self._model.logits
        if source is None:
            self._unknown.add(wanted)
        else:
            source.ask()
            self._asked = (run.number, wanted, source)
        return arrived

    def _wanted(self) -> int | None:
        """The step that the engine is to show next; None when it shows it, or while a run writes."""
        state, run = self._state, self._state.run
        if run is None or not run.done or not run.steps or run.stop_reason == "nonfinite":
            return None
        if self._asked is not None:
            return None  # the pass stays until its logits have been fetched
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
        logits = source.poll()
        if logits is None:
            return
        self._asked = None
        state, run = self._state, self._state.run
        if run is None or run.number != number or step >= len(run.steps):
            return
        record = run.steps[step]
        tokens = [*(token for token, _ in run.prompt_tokens), *(known.token for known in run.steps[:step])]
        context = tuple(tokens[-record.context_length :])
        found = Distribution(step, logits, run.options_at(step), context)
        if step == state.compared and state.comparison is None:
            state.comparison = found
        else:
            state.distribution = found
