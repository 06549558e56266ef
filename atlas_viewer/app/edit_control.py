"""Gives the model the window's list of edits, and decides what a run computes again after a change to the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atlas_viewer.state.edit_list import add, adopt
from atlas_viewer.state.edit_words import short_words
from atlas_viewer.state.protocols import GenerationSource, ModelLike
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from compute.edits.differences import first_changed_position
from compute.edits.grammar import parse_edit
from compute.edits.resolved import ResolvedEdit
from compute.errors import AtlasError, RecordingError, UsageError
from compute.gpu.loading import Loading
from compute.patching.edit_measure import EditMeasure


@dataclass(frozen=True)
class Rerun:
    """What shows a changed list of edits: `run`, whose steps before `keep` stay, computed up to `until` steps.

    until: 0 for the run's target. finished: the run has the steps already.
    """

    run: Run
    keep: int
    until: int
    finished: bool = False


class EditControl:
    """Checks the list, passes it on, and finds out what a change affects."""

    def __init__(self, state: State, model: ModelLike) -> None:
        """model: its own edits begin the list."""
        self._state, self._model, source = state, model, model.generations
        self._measure: object = None
        if source is not None and source.edits and not state.edits.entries:
            adopt(state.edits, [(edit, "") for edit in source.edits])

    @property
    def _source(self) -> GenerationSource:
        if self._model.generations is None:
            raise RecordingError(self._model.unavailable)
        return self._model.generations

    def sync(self, prompt: Sequence[int], tokens: int) -> None:
        """Give the model the edits in force, for a text whose prompt is `prompt` and that gets up to `tokens` tokens.

        An entry that does not fit the model or the text gets a problem, and stays out. Raises `RecordingError` if only
        a recording of the model is available.
        """
        source, edits = self._source, self._state.edits
        before, edits.problems = edits.problems, {}
        source.set_edits(edits.active)
        try:
            source.edits_for(prompt, tokens)
        except AtlasError:
            self._find_problems(source, prompt, tokens)
            self._state.messages += [text for number, text in edits.problems.items() if before.get(number) != text]
            source.set_edits(edits.active)

    def _find_problems(self, source: GenerationSource, prompt: Sequence[int], tokens: int) -> None:
        edits = self._state.edits
        for entry in edits.in_force:
            try:
                for edit in entry.edits:
                    source.check_edit(edit, prompt, tokens)
            except AtlasError as error:
                edits.problems[entry.number] = str(error)

    def patch(self, target: str, number: int, step: int) -> None:
        """Add an edit that sets `target` to what it is at a step of a run. The model is idle. Raises `AtlasError`s."""
        run = self._state.runs.all.get(number)
        if run is None or not 0 <= step <= len(run.steps):
            raise UsageError(f"patch {target}: there is no step {step} of run {number}")
        tokens = [*(token for token, _ in run.prompt_tokens), *(known.token for known in run.steps[:step])]
        context = run.options_at(step).context
        edit = self._source.captured(parse_edit(f"{target} = 0"), tokens, context, run.edits_at(step) or ())
        add(self._state, edit, f"from run {number}, step {step + 1}")

    def measuring(self, run: Run, number: int) -> Loading[None]:
        """Measure an entry of the list at the step shown, in steps. Ends early after `cancel`. Raises `AtlasError`s."""
        state, step = self._state, self._state.step
        prompt = [token for token, _ in run.prompt_tokens]
        at = 0 if step is None else step.index
        tokens = [*prompt, *(known.token for known in run.steps[:at])]
        self.sync(prompt, len(prompt) + max(run.options.max_new_tokens, len(run.steps)))
        numbers = [entry.number for entry in state.edits.in_force for _ in entry.edits]
        own = range(numbers.index(number), numbers.index(number) + numbers.count(number)) if number in numbers else ()
        if not isinstance(own, range):
            raise UsageError("an edit that is off changes nothing to measure; switch it on")
        edits = self._source.edits_for(prompt, len(tokens))
        self._measure = work = self._source.measuring(tokens, run.options_at(at).context, edits, own)
        while self._measure is work:
            try:
                yield next(work)
            except StopIteration as end:
                state.edits.measures[number], self._measure = _measured(end.value, at), None
                return

    @property
    def measures(self) -> bool:
        """True while passes with other edits are in the engine."""
        return self._measure is not None

    def cancel(self) -> None:
        """End measuring, because the engine is needed."""
        self._measure = None

    def rerun(self, run: Run, *, busy: bool) -> Rerun | None:
        """What has to be shown now that the list has changed; None when it changes nothing of the run.

        busy: the run was generating until now. The list has been synced. Raises `AtlasError`s.
        """
        prompt = [token for token, _ in run.prompt_tokens]
        edits = self._source.edits_for(prompt, len(prompt) + max(run.options.max_new_tokens, len(run.steps)))
        keep = _first_changed_step(run, edits, len(prompt))
        if keep is None or (keep >= len(run.steps) and not busy):
            return None
        for known in self._relatives(run):
            if _first_changed_step(known, edits, len(prompt)) is None and known.steps:
                done = len(known.steps) >= known.options.max_new_tokens or known.stop_reason == "end_of_text"
                return Rerun(known, len(known.steps), 0, finished=done or not busy)
        until = 0 if busy or run.stop_reason not in ("paused", "stopped") else len(run.steps)
        keep = min(keep, len(run.steps))
        if run.edited and not self._state.runs.children(run.number):
            again = run
            again.fork = min(again.fork, keep)
        else:
            again = self._state.runs.branch(run, keep)
            again.edited = True
        again.set_edits(keep, edits)
        again.name = short_words([str(edit) for edit in edits])
        return Rerun(again, keep, until)

    def _relatives(self, run: Run) -> list[Run]:
        """The runs of the same text with other edits: the one it was made from, and those made from it."""
        runs = self._state.runs
        parent = runs.all.get(run.parent or 0) if run.edited else None
        found = [parent] if parent is not None else []
        return found + [child for child in runs.children(run.number) if child.edited and _same_options(child, run)]


def _measured(found: EditMeasure, step: int) -> str:
    lines = [f"step {step + 1}: {found.edit}"]
    lines += [f"random vector: {found.control}"] if found.control is not None else []
    return "\n".join([*lines, f"rounding: {found.rounding}"])


def _same_options(run: Run, other: Run) -> bool:
    return run.options.seed == other.options.seed and run.options_at(0) == other.options_at(0)


def _first_changed_step(run: Run, edits: Sequence[ResolvedEdit], prompt: int) -> int | None:
    """The first step, among those there are and the next, that is computed otherwise with `edits`; None for none."""
    starts = sorted(run.edits) or [0]
    ends = [*starts[1:], len(run.steps) + 1]
    for start, end in zip(starts, ends, strict=True):
        position = first_changed_position(run.edits.get(start, ()), edits)
        # The pass of step s computes the position before the token that it draws.
        step = None if position is None else max(position - prompt + 1, start)
        if step is not None and step < end:
            return step
    return None
