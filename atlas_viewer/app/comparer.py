"""Compares the step on screen with what was chosen as B, between frames, and says whose values the views show."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from atlas_viewer.state.comparing import (
    DIFFERENCE,
    EDITS,
    MODEL,
    PROMPT,
    RELATIVE,
    RUN,
    STEP,
    A,
    B,
    Choice,
    ComparedLogits,
    Wanted,
)
from atlas_viewer.state.comparison_protocols import ComparisonSource, Views
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from compute.edits.grammar import parse_edit
from compute.edits.resolved import ResolvedEdit
from compute.errors import AtlasError, UsageError
from compute.models.registry import Registry

from .compared_lens import ComparedLens

_TIME_S = 0.006  # seconds of a frame for submitting work of B


class Comparer:
    """Keeps B and the difference up to date with the step on screen. Nothing here waits for the GPU."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._source: ComparisonSource | None = None
        self._job: Iterator[tuple[str, float] | ComparedLogits] | None = None
        self._key: object = None  # what the job, or the comparison that is ready, is about
        self._relative = False
        self._pending = False
        self._lens = ComparedLens(state)

    @property
    def pending(self) -> bool:
        """True while something is being computed, so that more frames are drawn."""
        return self._pending or self._lens.pending

    @property
    def pass_complete(self) -> bool:
        """True when the values that the views show belong to whole passes."""
        return self._job is None or self._state.comparing.shown == A

    def views(self, model: ModelLike) -> Views:
        """Whose values the views show."""
        shown, source = self._state.comparing.shown, self._source
        if source is None or source is not model.comparisons:
            return model
        other = source.b if shown == B else source.difference if shown in (DIFFERENCE, RELATIVE) else None
        return model if other is None else other

    def registries(self, model: ModelLike) -> list[Registry]:
        """Those of A, and of what else is compared."""
        found = [model.map_source.registry] if model.map_source is not None else []
        if self._source is not None:
            found += [side.registry for side in (self._source.b, self._source.difference) if side is not None]
        return found

    def frame(self, model: ModelLike, now: float, *, settled: bool) -> bool:
        """Take the next steps. True when the values of B and of the difference are new.

        settled: whether the engine has the pass of the step on screen, and keeps it.
        """
        comparing = self._state.comparing
        self._pending = False
        if comparing.choice is None:
            self._leave()
            return False
        if model.comparisons is not self._source:
            self._leave()
            self._source = model.comparisons
            comparing.forget()
        if self._source is None:
            comparing.problem = model.unavailable or "there are no values to compare"
            return False
        if not settled:
            self._stop()
            comparing.ready, self._key = False, None
            return False
        found = self._compare(model, self._source)
        self._lens.frame(self._source.b, now)
        return found

    def _compare(self, model: ModelLike, source: ComparisonSource) -> bool:
        comparing = self._state.comparing
        key = self._now()
        try:
            if key != self._key:
                self._stop()
                comparing.forget()
                self._key, self._relative = key, comparing.side == RELATIVE
                wanted = self._wanted(model)
                if wanted is None:
                    return False
                self._job = source.comparing(wanted)
            elif self._job is None and comparing.ready and self._relative != self._wants_relative:
                self._relative = self._wants_relative
                self._job = source.relative(self._relative)
            return self._work()
        except AtlasError as error:
            self._stop()
            comparing.problem = str(error)
            return False

    @property
    def _wants_relative(self) -> bool:
        """Whether the difference must be relative; what it is when the views do not show it stays."""
        side = self._state.comparing.side
        return side == RELATIVE if side in (DIFFERENCE, RELATIVE) else self._relative

    def _work(self) -> bool:
        """Take steps of the job. True at its end."""
        comparing, until = self._state.comparing, time.perf_counter() + _TIME_S
        if self._job is None:
            return False
        self._pending = True
        while time.perf_counter() < until:
            step = next(self._job, None)
            if step is None:
                self._job, comparing.step, comparing.done = None, "", 0.0
                comparing.ready = True
                return True
            if isinstance(step, ComparedLogits):
                comparing.predictions, comparing.note = step.predictions, step.problem
                continue
            waiting = (comparing.step, comparing.done) == step
            comparing.step, comparing.done = step
            if waiting:
                break  # for the GPU
        return False

    def _leave(self) -> None:
        """End the comparison, and release its memory."""
        self._stop()
        if self._source is not None:
            self._source.forget()
        if self._source is not None or self._key is not None:
            self._state.comparing.forget()
        self._source, self._key = None, None

    def _stop(self) -> None:
        if self._job is not None:
            close = getattr(self._job, "close", None)
            if close is not None:
                close()
        self._job = None
        self._state.comparing.step = ""

    # -- what B is

    def _now(self) -> object:
        """What the comparison is about, so that a change is noticed."""
        state, run, step = self._state, self._state.run, self._state.step
        if run is None:
            return None
        choice = state.comparing.choice
        other = state.runs.all.get(choice.run) if choice is not None and choice.kind == RUN else None
        tokens = tuple(one.token for one in run.steps)
        edits = None if step is None else run.edits_at(step.index)
        known = None if edits is None else tuple(map(id, edits))
        at = None if step is None else step.index
        return choice, run.number, at, tokens, known, None if other is None else len(other.steps)

    def _wanted(self, model: ModelLike) -> Wanted | None:
        """The pass of B; notes the texts of both. Raises `AtlasError`s."""
        state, run, step = self._state, self._state.run, self._state.step
        choice = state.comparing.choice
        if run is None or step is None or choice is None:
            state.comparing.problem = "there is no step to compare; generate one first"
            return None
        ours = _text(run, step.index)
        theirs, prompt, title = self._text_of(choice, run, step.index, model)
        comparing, label = state.comparing, model.tokenizer.token_label
        comparing.texts_a = tuple((token, label(token)) for token in ours)
        comparing.texts_b = tuple((token, label(token)) for token in theirs)
        comparing.title = title
        lines = choice.text.splitlines() if choice.kind == EDITS else []
        return Wanted(
            tokens=theirs,
            prompt=prompt,
            context=run.options_at(step.index).context,
            edits=tuple(parse_edit(line.strip()) for line in lines if line.strip()),
            before=self._before(choice, run, step.index),
            model=choice.text.strip() if choice.kind == MODEL else "",
            relative=self._relative,
        )

    def _before(self, choice: Choice, run: Run, step: int) -> Sequence[ResolvedEdit] | None:
        """The edits of what B is; None for those of A."""
        if choice.kind == EDITS:
            return ()
        if choice.kind == STEP:
            return run.edits_at(choice.step)
        other = self._state.runs.all.get(choice.run) if choice.kind == RUN else None
        return None if other is None else other.edits_at(min(step, len(other.steps)))

    def _text_of(self, choice: Choice, run: Run, step: int, model: ModelLike) -> tuple[list[int], int, str]:
        """The tokens of B, how many of them are the prompt, and what B is in words."""
        if choice.kind == STEP:
            if not 0 <= choice.step < len(run.steps):
                raise UsageError(f"step {choice.step + 1}: this run has {len(run.steps)} steps")
            return _text(run, choice.step), len(run.prompt_tokens), f"step {choice.step + 1} of this run"
        if choice.kind == RUN:
            other = self._state.runs.all.get(choice.run)
            if other is None:
                raise UsageError("the run to compare with is gone; choose another one")
            return _text(other, min(step, len(other.steps))), len(other.prompt_tokens), f"run {other.title}"
        if choice.kind == PROMPT:
            tokens = list(model.tokenizer.encode(choice.text))
            return tokens, len(tokens), "another prompt"
        title = f"{choice.text.strip()}" if choice.kind == MODEL else _edits_title(choice.text)
        return _text(run, step), len(run.prompt_tokens), title


def _text(run: Run, step: int) -> list[int]:
    """The tokens before step `step`: those that its pass sees."""
    return [*(token for token, _ in run.prompt_tokens), *(one.token for one in run.steps[:step])]


def _edits_title(text: str) -> str:
    edits = [line.strip() for line in text.splitlines() if line.strip()]
    return f"with {', '.join(edits)}" if edits else "without edits"
