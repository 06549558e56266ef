"""A finished generation."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.generate.steps import StepRecord


@dataclass(frozen=True)
class Generation:
    """A prompt and what the model continued it with.

    prompt: as text, decoded where it was given as token ids. tokens: ids of prompt and continuation. steps: one record
    per new token, with its probability, rank and likeliest alternatives. stop_reason: "length", "end_of_text", or
    "nonfinite" when no logit was finite.
    """

    prompt: str
    continuation: str
    tokens: list[int]
    steps: list[StepRecord] = field(repr=False)
    stop_reason: str

    @property
    def text(self) -> str:
        """Prompt and continuation."""
        return self.prompt + self.continuation
