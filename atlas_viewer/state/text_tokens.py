"""The tokens of the text on screen, by their index in it and by the rows of the latest pass."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

from .runs import Run
from .state import State


def context_start(state: State) -> int:
    """Index in the text of the first context token of the latest pass."""
    inspection = state.inspection
    positions = state.model.positions if state.model else 0
    run = state.run
    if inspection.first_position + inspection.rows < positions or run is None or not run.steps:
        return inspection.first_position
    # A paused or finished run shows the pass of the chosen step.
    step = state.step if run.done else run.steps[-1]
    assert step is not None
    return step.context_start


def context_token(state: State, row: int) -> tuple[int, str] | None:
    """Id and text of the context token in `row`; None while it is unknown."""
    return token_at(state, context_start(state) + row)


def token_at(state: State, position: int) -> tuple[int, str] | None:
    """Id and text of the token with this index in the text; None when the text has no such token."""
    run = state.run
    if run is None or position < 0:
        return None
    if position < len(run.prompt_tokens):
        return run.prompt_tokens[position]
    position -= len(run.prompt_tokens)
    return (run.steps[position].token, run.steps[position].text) if position < len(run.steps) else None


def text_length(state: State) -> int:
    """Number of tokens of the text: those of the prompt, and those generated so far."""
    return 0 if state.run is None else len(state.run.prompt_tokens) + len(state.run.steps)


Span = tuple[int, int]  # the first character of a token and the one after its last


def token_spans(texts: Sequence[str], text: str) -> list[Span]:
    """The characters of each token of `text`. texts: the text of each token, in order.

    Tokens that are only parts of characters share the characters that they make up together.
    """
    spans: list[Span] = []
    at = first = 0
    for index, part in enumerate(texts):
        here = index == first
        found = text.find(part, at, at + len(part)) if here else text.find(part, at + 1)
        if found < 0:
            continue  # part of a character, which ends where the next whole token begins
        spans += [(at, found)] * (index - first)
        spans.append((found, found + len(part)))
        at, first = found + len(part), index + 1
    return spans + [(at, len(text))] * (len(texts) - first)


@dataclass
class TextSpans:
    """The characters of the tokens of the run on screen, in the text of its prompt and continuation together."""

    prompt: list[Span] = field(default_factory=list)
    continuation: list[Span] = field(default_factory=list)
    _known: tuple[object, object] = (None, None)

    def follow(self, run: Run) -> None:
        """Find the tokens of `run`, if it has changed since the last call."""
        whole = (run.number, len(run.prompt_tokens), run.prompt)
        steps = (whole, len(run.steps), run.steps[-1].token if run.steps else None, len(run.continuation))
        if self._known[0] != whole:
            self.prompt = token_spans([text for _, text in run.prompt_tokens], run.prompt)
        if self._known[1] != steps:
            spans, start = token_spans([step.text for step in run.steps], run.continuation), len(run.prompt)
            self.continuation = [(first + start, stop + start) for first, stop in spans]
        self._known = whole, steps

    def __getitem__(self, position: int) -> Span:
        """The characters of the token at `position`. Raises IndexError when the text has no such token."""
        count = len(self.prompt)
        return self.prompt[position] if position < count else self.continuation[position - count]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.continuation)

    def at(self, character: int) -> int | None:
        """The position of the first token with this character; None when there is none."""
        position = bisect.bisect_right(self, character, key=_start) - 1
        while position > 0 and self[position - 1] == self[position]:
            position -= 1
        return position if position >= 0 and character < self[position][1] else None


def _start(span: Span) -> int:
    return span[0]
