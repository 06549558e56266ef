"""A recorded run as the viewer takes one: with the model at any step, or without it as far as recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compute.errors import RecordingError
from compute.generate.replay import KnownText
from compute.generate.steps import StepRecord
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions

from .reader import Recording
from .records import RecordedStep, RunInfo


class RecordedRun:
    """A run of a session, all of it or its first steps; has what `protocols.GenerationLike` asks for."""

    def __init__(self, recording: Recording, run: RunInfo) -> None:
        """Reads every step. Raises `RecordingError`."""
        self.info = run
        self.all_steps: list[RecordedStep] = recording.steps(run)
        self.prompt_tokens = list(run.prompt_tokens)
        self.options: GenerateOptions = run.options
        self.done = self.pass_complete = True
        self.progress = 1.0
        self.steps: list[StepRecord] = []  # those that are shown
        self._end_of_text = recording.head.end_of_text
        self._bytes = [recording.token_bytes(step.record.token) for step in self.all_steps]
        self.prompt_texts = [(token, recording.token_text(token)) for token in self.prompt_tokens]
        self.show(len(self.all_steps))

    def follow(self, recording: Recording) -> bool:
        """Take in the steps that were recorded since; True when there are some. Raises `RecordingError`."""
        new = recording.steps(self.info, len(self.all_steps))
        self.all_steps += new
        self._bytes += [recording.token_bytes(step.record.token) for step in new]
        return bool(new)

    def show(self, count: int) -> None:
        """Be the run as it was after its first `count` steps."""
        self.steps = [step.record for step in self.all_steps[:count]]

    @property
    def continuation(self) -> str:
        """What was written until then, the end of text left out."""
        parts = zip(self.steps, self._bytes, strict=False)
        kept = (data for step, data in parts if step.token != self._end_of_text)
        return b"".join(kept).decode(errors="replace")

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended; at an earlier step it has not."""
        return self.info.stop_reason if len(self.steps) == len(self.all_steps) else None

    @property
    def tokens_per_second(self) -> float:
        """The speed at which it was recorded, until the step that is shown."""
        if not self.steps:
            return 0.0
        seconds = self.all_steps[len(self.steps) - 1].time - self.info.started
        return len(self.steps) / seconds if seconds > 0 else 0.0

    def advance(self, budget_s: float) -> bool:
        """Nothing: it has been written already."""
        return False

    def stop(self) -> None:
        """Nothing to stop."""


def steps_before(runs: Sequence[RunInfo], run: RunInfo) -> int:
    """How many of `prompt_tokens` are steps that were written before the run's first one: of its parents, or before
    recording began. 0 when the parents make no sense."""
    known = {other.id: other for other in runs}
    count, at, seen = 0, run, set()
    while at.fork_step is not None:
        count += at.fork_step
        seen.add(at.id)
        if at.parent is None:
            break
        if at.parent not in known or at.parent in seen:
            return 0
        at = known[at.parent]
    return count if count < len(run.prompt_tokens) else 0


def known_text(run: RunInfo, steps: Sequence[StepRecord], options: GenerateOptions, before: int = 0) -> KnownText:
    """The tokens of a run with the options that some of them were drawn with; before: as `steps_before` has it."""
    return KnownText(run.prompt_tokens, [step.token for step in steps], options, before)


def widest(steps: Iterable[RecordedStep]) -> int:
    """The longest window that was in force, in tokens; 1 when there is no step."""
    return max((step.options.context for step in steps), default=1)


def check_shape(recording: Recording, model: str, config: ModelConfig) -> None:
    """Raise `RecordingError` when the session is of a model of another shape."""
    recorded = recording.head.config
    if recorded != config:

        def shape(sizes: ModelConfig) -> str:
            return (
                f"{sizes.layers} layers, {sizes.heads} heads, {sizes.channels} channels, {sizes.positions} positions,"
                f" {sizes.vocabulary} tokens"
            )

        raise RecordingError(
            f"{recording.shown}: was recorded with {recording.head.model} ({shape(recorded)}), not with {model}"
            f" ({shape(config)}); give its model with --model"
        )
