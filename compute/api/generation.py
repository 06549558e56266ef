"""A finished generation."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.edits.report import NO_EDITS, EditReport
from compute.generate.steps import StepRecord


@dataclass(frozen=True)
class Generation:
    """A prompt and what the model continued it with.

    prompt: as text, decoded where it was given as token ids. tokens: ids of prompt and continuation. steps: one record
    per new token, with its probability, rank and likeliest alternatives. stop_reason: "length", "end_of_text", or
    "nonfinite" when no logit was finite. report: what the edits have done.
    """

    prompt: str
    continuation: str
    tokens: list[int]
    steps: list[StepRecord] = field(repr=False)
    stop_reason: str
    report: EditReport = NO_EDITS

    @property
    def edits(self) -> list[str]:
        """The edits of the run, by their canonical text."""
        return list(self.report.edits)

    @property
    def no_effect(self) -> list[str]:
        """Those of `edits` that changed no value."""
        return list(self.report.no_effect)

    @property
    def text(self) -> str:
        """Prompt and continuation."""
        return self.prompt + self.continuation
