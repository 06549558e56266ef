"""A recorded run in the form that the viewer expects: at any step, with or without the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compute.edits.resolved import ResolvedEdit
from compute.errors import AtlasError, RecordingError
from compute.generate.replay import KnownText
from compute.generate.steps import StepRecord
from compute.io.escape import one_line
from compute.models.architectures import describe, known_shapes
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions

from .edit_records import applied_edits
from .reader import Recording
from .records import Head, RecordedEdit, RecordedStep, RunInfo


class RecordedRun:
    """A `protocols.GenerationLike` for a recorded run, or of its first steps."""

    def __init__(self, recording: Recording, run: RunInfo) -> None:
        """Read every step. Raises `RecordingError`."""
        self.info = run
        self.all_steps: list[RecordedStep] = recording.steps(run)
        self.prompt_tokens = list(run.prompt_tokens)
        self.options: GenerateOptions = run.options
        self.all_edits: dict[int, tuple[ResolvedEdit, ...]] = {}  # by the first step that was computed with them
        self._last_edits: tuple[RecordedEdit, ...] | None = None
        self._take_edits(recording, [(0, run.edits), *((step.record.index, step.edits) for step in self.all_steps)])
        self.done = self.pass_complete = True
        self.progress, self.pass_seconds = 1.0, 0.0
        self.steps: list[StepRecord] = []  # the visible ones
        self._end_of_text = recording.head.end_of_text
        self._bytes = [recording.token_bytes(step.record.token) for step in self.all_steps]
        self.prompt_texts = [(token, recording.token_text(token)) for token in self.prompt_tokens]
        self.show(len(self.all_steps))

    def follow(self, recording: Recording) -> bool:
        """Read the steps that were recorded since the last call; True if there are any. Raises `RecordingError`."""
        new = recording.steps(self.info, len(self.all_steps))
        self._take_edits(recording, [(step.record.index, step.edits) for step in new])
        self.all_steps += new
        self._bytes += [recording.token_bytes(step.record.token) for step in new]
        return bool(new)

    def _take_edits(self, recording: Recording, edits: Sequence[tuple[int, tuple[RecordedEdit, ...]]]) -> None:
        """Note which edits apply from which step on. Raises `RecordingError` if the model cannot have them."""
        for step, known in edits:
            if known != self._last_edits:
                try:
                    self.all_edits[step] = applied_edits(known, describe(recording.head.config))
                except AtlasError as error:
                    raise RecordingError(f"{recording.shown}: run {self.info.id}: {error}") from None
                self._last_edits = known

    def edits_at(self, step: int) -> tuple[ResolvedEdit, ...]:
        """The edits with which step `step` was computed."""
        return self.all_edits[max(index for index in self.all_edits if index <= max(step, 0))]

    @property
    def edits(self) -> tuple[ResolvedEdit, ...]:
        """Those of the last visible step."""
        return self.edits_at(len(self.steps) - 1)

    def show(self, count: int) -> None:
        """Take the state that the run had after its first `count` steps."""
        self.steps = [step.record for step in self.all_steps[:count]]

    @property
    def continuation(self) -> str:
        """The text generated so far, without the end-of-text token."""
        parts = zip(self.steps, self._bytes, strict=False)
        kept = (data for step, data in parts if step.token != self._end_of_text)
        return b"".join(kept).decode(errors="replace")

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended; None at an earlier step."""
        return self.info.stop_reason if len(self.steps) == len(self.all_steps) else None

    @property
    def tokens_per_second(self) -> float:
        """The speed during recording, up to the visible step."""
        if not self.steps:
            return 0.0
        seconds = self.all_steps[len(self.steps) - 1].time - self.info.started
        return len(self.steps) / seconds if seconds > 0 else 0.0

    def advance(self, budget_s: float) -> bool:
        """Do nothing: the run is finished."""
        return False

    def stop(self) -> None:
        """Do nothing: the run is finished."""


def steps_before(runs: Sequence[RunInfo], run: RunInfo) -> int:
    """The number of `prompt_tokens` that are steps before the run's first one: steps of its parents, or steps before
    the recording began. 0 if the parents are inconsistent."""
    known = {other.id: other for other in runs}
    count, ancestor, seen = 0, run, set()
    while ancestor.fork_step is not None:
        count += ancestor.fork_step
        seen.add(ancestor.id)
        if ancestor.parent is None:
            break
        if ancestor.parent not in known or ancestor.parent in seen:
            return 0
        ancestor = known[ancestor.parent]
    return count if count < len(run.prompt_tokens) else 0


def known_text(run: RunInfo, steps: Sequence[StepRecord], options: GenerateOptions, before: int = 0) -> KnownText:
    """The tokens of a run at some of its steps, with `options`; before: see `steps_before`."""
    return KnownText(run.prompt_tokens, [step.token for step in steps], options, before)


def longest_context(steps: Iterable[RecordedStep]) -> int:
    """The longest context in the options of the steps, in tokens; 1 if there are no steps."""
    return max((step.options.context for step in steps), default=1)


def named_model(head: Head) -> str:
    """The recorded model in the form that `--model` accepts, if its name is enough to find it.

    Raises `RecordingError` if it is not: a path in a recording is never opened, because it may come from anybody.
    """
    if head.model != "stories" and head.model.removeprefix("random:") not in known_shapes():
        raise RecordingError(
            f"model {one_line(head.model)}: the recording does not contain the model; give the model's file with"
            " --model"
        )
    return head.model


def check_shape(recording: Recording, model: str, config: ModelConfig) -> None:
    """Raise `RecordingError` if the recording's model has another shape."""
    recorded = recording.head.config
    if recorded != config:

        def shape(sizes: ModelConfig) -> str:
            return (
                f"{sizes.layers} layers, {sizes.heads} heads, {sizes.channels} channels,"
                f" {sizes.positions} positions, {sizes.vocabulary} tokens, architecture {sizes.architecture}"
            )

        raise RecordingError(
            f"{recording.shown}: was recorded with {recording.head.model} ({shape(recorded)}), not with {model}"
            f" ({shape(config)}); give its model with --model"
        )
