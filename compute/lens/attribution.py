"""A logit, or the difference of two, split into what each part of the model adds to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .self_check import SelfCheck

EDITS = "edits"  # the name of the part that edits add to the residual stream
NEURONS = 50  # that a result names


@dataclass(frozen=True)
class LogitPart:
    """What one part of the model adds to the logit. head: its number, None for parts that are not heads.

    tensor: the activation or parameter that the part comes from, of a head that of all heads, empty for edits;
    sources: float32 [position + 1], what the head took from each token of the context; None for other parts, and
    where an edit has replaced what heads took.
    """

    name: str
    head: int | None
    value: float
    tensor: str
    sources: np.ndarray | None = None


@dataclass(frozen=True)
class NeuronPart:
    """What one hidden neuron adds to the logit: its `activation` times its column of the matrix after it.

    name: of the activation; index: the neuron's column in it; reads: the matrix whose row `index` it reads the residual
    stream with; writes: the matrix whose column `index` it adds to the stream; about: what the activation is.
    """

    name: str
    index: int
    activation: float
    value: float
    reads: str
    writes: str
    about: str


@dataclass(frozen=True)
class LogitParts:
    """The parts of a logit at one position, in the order in which the model computes them.

    logit: of `target`, or with `against` the difference of the two; before any soft cap. sum: of all parts.
    neurons: those with the largest values in magnitude, the largest first; their values are parts of their MLP's.
    """

    position: int
    target: int
    against: int | None
    logit: float
    parts: tuple[LogitPart, ...]
    neurons: tuple[NeuronPart, ...]

    @property
    def sum(self) -> float:
        """The sum of all parts, which should be the logit."""
        return float(sum(part.value for part in self.parts))

    def checks(self) -> tuple[SelfCheck, ...]:
        """The parts sum to the logit, and the sources of each head to its part."""
        heads = [(part.sources, part.value) for part in self.parts if part.sources is not None]
        largest = [abs(float(sources.sum(dtype=np.float64)) - value) for sources, value in heads]
        found = [SelfCheck("parts sum to the logit", abs(self.sum - self.logit))]
        if largest:
            found.append(SelfCheck("sources sum to their head", float(np.max(largest))))
        return tuple(found)
