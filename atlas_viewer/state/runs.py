"""Runs and their branches, as a tree. Plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compute.edits.resolved import ResolvedEdit
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord


@dataclass
class Run:
    """One run: its prompt, its options and its steps so far.

    A branch shares the steps before `fork` with its `parent`; step `fork` is the token that the user chose.
    """

    prompt: str
    options: GenerateOptions  # for the next token; `max_new_tokens` is the run's target
    prompt_tokens: Sequence[tuple[int, str]]
    steps: Sequence[StepRecord] = ()
    continuation: str = ""
    done: bool = False
    stop_reason: str | None = None
    tokens_per_second: float = 0.0
    progress: float = 0.0  # of the pass in progress, 0 to 1
    pass_seconds: float = 0.0  # of GPU time, predicted for that pass
    number: int = 0
    parent: int | None = None
    fork: int = 0
    name: str = ""
    # The options by the first step that they apply to; step 0 has the initial ones.
    changes: dict[int, GenerateOptions] = field(default_factory=dict)
    known: Sequence[StepRecord] = ()  # in playback: all steps, including those not shown yet
    # What the passes changed, by the first step of which they did; without any, the model applies its own edits.
    edits: dict[int, Sequence[ResolvedEdit]] = field(default_factory=dict)
    edited: bool = False  # it was made by running its parent again with other edits
    new_tokens: int = 0  # the value of New tokens when the target was chosen
    turns: tuple[Turn, ...] = ()  # of the chat that the prompt is
    until: int = 0  # number of tokens at which the run pauses before its target; 0: it does not

    def __post_init__(self) -> None:
        """Start with the target as the value of New tokens."""
        self.new_tokens = self.new_tokens or self.options.max_new_tokens

    def options_at(self, step: int) -> GenerateOptions:
        """The options with which step `step` was drawn."""
        known = [index for index in self.changes if index <= step]
        return self.changes[max(known)] if known else self.options

    def edits_at(self, step: int) -> Sequence[ResolvedEdit] | None:
        """The edits with which step `step` was computed; None when they are not known."""
        known = [index for index in self.edits if index <= step]
        return self.edits[max(known)] if known else None

    def set_edits(self, step: int, edits: Sequence[ResolvedEdit]) -> None:
        """Note that steps from `step` on are computed with `edits`."""
        self.edits = {index: known for index, known in self.edits.items() if index < step}
        before = self.edits_at(step)
        if before is None or list(before) != list(edits):
            self.edits[step] = tuple(edits)

    @property
    def prompt_ids(self) -> list[int]:
        """The token ids of the prompt."""
        return [token for token, _ in self.prompt_tokens]

    @property
    def title(self) -> str:
        """The run's name, or the beginning of its text."""
        return self.name or self.prompt.strip().replace("\n", " ")[:40] or "(empty prompt)"

    @property
    def paused(self) -> bool:
        """True when the run can continue."""
        return self.done and self.stop_reason in ("paused", "stopped", "length")


def unsaved(runs: Runs, saved: Mapping[int, int]) -> list[Run]:
    """The runs with steps that no file contains. saved: the number of a run's steps in a file, by number of the run."""

    def is_saved(run: Run) -> bool:
        shown = [step.token for step in run.steps]
        if run.known and shown != [step.token for step in run.known[: len(shown)]]:
            return False  # played from a file, and continued in another way
        return len(shown) <= saved.get(run.number, 0)

    return [run for run in runs.all.values() if not is_saved(run)]


class Runs:
    """All runs since the window was opened, by number, in the order in which they started."""

    def __init__(self) -> None:
        self.all: dict[int, Run] = {}
        self._next = 1

    def add(self, run: Run) -> Run:
        """Give the run a number and add it."""
        run.number, self._next = self._next, self._next + 1
        self.all[run.number] = run
        return run

    def branch(self, run: Run, index: int) -> Run:
        """A new run that shares the steps before `index` with `run`. The caller adds the step itself."""
        changes = {step: options for step, options in run.changes.items() if step <= index}
        child = Run(run.prompt, run.options_at(index), run.prompt_tokens, list(run.steps[:index]), changes=changes)
        child.turns = run.turns
        child.options = dataclasses.replace(child.options, max_new_tokens=run.options.max_new_tokens)
        child.parent, child.fork = run.number, index
        child.edits = {step: edits for step, edits in run.edits.items() if step <= index}
        return self.add(child)

    def children(self, number: int | None) -> list[Run]:
        """The branches of a run; for None, the runs that are not branches."""
        return [run for run in self.all.values() if run.parent == number]

    def depth(self, run: Run) -> int:
        """The number of runs that the run descends from."""
        depth = 0
        while run.parent is not None:
            run, depth = self.all[run.parent], depth + 1
        return depth

    def order(self) -> list[Run]:
        """Every run, each followed by its branches."""
        listed: list[Run] = []

        def walk(number: int | None) -> None:
            for run in self.children(number):
                listed.append(run)
                walk(run.number)

        walk(None)
        return listed


def with_token(step: StepRecord, token: int, text: str) -> StepRecord:
    """The record of `step` with `token` in place of its own token; values that are not known become NaN."""
    known = next((candidate for candidate in step.top if candidate.token == token), None)
    unknown = float("nan")
    return dataclasses.replace(
        step,
        token=token,
        text=text,
        logit=known.logit if known else unknown,
        probability=known.probability if known else unknown,
        model_probability=known.model_probability if known else unknown,
        rank=step.top.index(known) + 1 if known else 0,
    )


def drawing(options: GenerateOptions) -> GenerateOptions:
    """The options, with those that do not affect draws set to fixed values."""
    return dataclasses.replace(options, max_new_tokens=1, top=0)
