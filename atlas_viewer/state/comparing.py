"""A against B: what is compared with the step on screen, which of both the views show, and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compute.edits.grammar import Edit
from compute.edits.resolved import ResolvedEdit

from .lens_view import LensView

if TYPE_CHECKING:
    from .state import State

A, B, DIFFERENCE, RELATIVE = SIDES = ("A", "B", "A - B", "relative")
SIDE_TIPS = {
    A: "The step on screen",
    B: "What it is compared with",
    DIFFERENCE: "A minus B, value by value",
    RELATIVE: "A minus B, divided by the larger magnitude of the two: 1 where B is 0, 2 where the signs are opposite",
}
EDITS, STEP, RUN, PROMPT, MODEL = KINDS = ("edits", "step", "run", "prompt", "model")
KIND_TITLES = {
    EDITS: "the same text, other edits",
    STEP: "another step of this run",
    RUN: "another run",
    PROMPT: "another prompt",
    MODEL: "another model",
}


@dataclass(frozen=True)
class Choice:
    """What B is. kind: one of `KINDS`. run: number of a run; step: index of a step.

    text: the prompt, the model's name or path, or the edits, each on a line of its own.
    """

    kind: str
    run: int = 0
    step: int = 0
    text: str = ""


@dataclass(frozen=True, eq=False)
class Wanted:
    """The pass of B. tokens: the text; prompt: how many of them are the prompt; context: in tokens.

    edits: to resolve for this text, after those of `before`, which are those of A if it is None. model: what loads it,
    empty for that of A. relative: whether the difference is.
    """

    tokens: Sequence[int]
    prompt: int
    context: int
    edits: tuple[Edit, ...] = ()
    before: Sequence[ResolvedEdit] | None = None
    model: str = ""
    relative: bool = False


@dataclass(frozen=True, eq=False)
class ComparedLogits:
    """The end of a comparison. predictions: of both passes.

    problem: why there is no difference, though there is a second pass; empty when there is one.
    """

    predictions: Predictions
    problem: str


@dataclass(frozen=True)
class Row:
    """A token of the logits table. delta: the logit of A minus that of B; probabilities are softmaxes of the logits."""

    token: int
    logit_a: float
    logit_b: float
    probability_a: float
    probability_b: float

    @property
    def delta(self) -> float:
        """The logit of A minus that of B."""
        return self.logit_a - self.logit_b

    @property
    def gain(self) -> float:
        """The probability in A minus that in B."""
        return self.probability_a - self.probability_b


@dataclass(frozen=True)
class Predictions:
    """What A and B predict after their last tokens. kl: KL(A || B) in nats. rows: those that matter most first."""

    kl: float
    rows: tuple[Row, ...]
    likeliest_a: int
    likeliest_b: int


@dataclass
class Comparing:
    """The comparison of the window. A is always the step on screen.

    choice: what B is; None without a comparison. side: what the views show once B is there. held: the key that shows B
    is down. step, done: what is being computed, and the share of it that is done; problem: why there is no B, and note:
    why there is no difference.
    """

    choice: Choice | None = None
    side: str = DIFFERENCE
    held: bool = False
    ready: bool = False
    step: str = ""
    done: float = 0.0
    problem: str = ""
    note: str = ""
    title: str = ""  # of B
    texts_a: tuple[tuple[int, str], ...] = ()  # (id, text) of the tokens of both passes
    texts_b: tuple[tuple[int, str], ...] = ()
    predictions: Predictions | None = None
    lens: LensView = field(default_factory=LensView)  # of B
    lens_difference: LensView = field(default_factory=LensView)  # of A minus B, for `lens_key`
    lens_key: object = None
    kind: str = EDITS  # chosen in the panel
    typed: dict[str, str] = field(default_factory=dict)  # by kind

    @property
    def shown(self) -> str:
        """What the views show: one of `SIDES`."""
        if self.choice is None or not self.ready:
            return A
        if self.held:
            return B
        return A if self.note and self.side in (DIFFERENCE, RELATIVE) else self.side

    @property
    def subtracts(self) -> bool:
        """True while the views show a difference."""
        return self.shown in (DIFFERENCE, RELATIVE)

    @property
    def label(self) -> str:
        """The legend of what the views show."""
        return "(A - B) / max(|A|, |B|)" if self.shown == RELATIVE else self.shown

    def choose(self, choice: Choice | None) -> None:
        """Compare with something else, or with nothing."""
        if choice != self.choice:
            self.choice = choice
            self.forget()

    def forget(self) -> None:
        """Forget what was found."""
        self.ready, self.problem, self.note, self.step, self.done = False, "", "", "", 0.0
        self.predictions, self.texts_a, self.texts_b = None, (), ()
        self.lens, self.lens_key = LensView(), None

    @property
    def first_difference(self) -> int | None:
        """Index in the text of the first token that A and B do not share; None when the texts are the same."""
        pairs = zip(self.texts_a, self.texts_b, strict=False)
        shorter = min(len(self.texts_a), len(self.texts_b))
        found = next((index for index, (a, b) in enumerate(pairs) if a[0] != b[0]), shorter)
        return None if found == len(self.texts_a) == len(self.texts_b) else found

    def other_token(self, position: int, token: int) -> str | None:
        """The text of B's token at this position of the text, if it is not `token`; None if both are the same or B ends
        before it."""
        if not self.ready or not 0 <= position < len(self.texts_b) or self.texts_b[position][0] == token:
            return None
        return self.texts_b[position][1]


def steps_diverge(state: State) -> int | None:
    """The first step, from 0, at which the tokens of A's run and of the run of B differ; None unless B is a run."""
    comparing, run = state.comparing, state.run
    if comparing.choice is None or comparing.choice.kind != RUN or run is None:
        return None
    other = state.runs.all.get(comparing.choice.run)
    if other is None:
        return None
    ours, theirs = [step.token for step in run.steps], [step.token for step in other.steps]
    shorter = min(len(ours), len(theirs))
    found = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), shorter)
    return None if found == len(ours) == len(theirs) else found


def in_nats(value: float) -> str:
    """A divergence as people read it."""
    return "unknown" if math.isnan(value) else "infinite" if math.isinf(value) else f"{value:.4g} nats"
