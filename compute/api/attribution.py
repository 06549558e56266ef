"""Direct logit attribution of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compute.edits.report import EditReport
from compute.errors import UsageError, option
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.lens.attribution import LogitPart, NeuronPart
from compute.lens.attribution_pass import AttributionPass
from compute.lens.self_check import SelfCheck

from .edited import report_of
from .texts import integer


@dataclass(frozen=True)
class Attribution:
    """A logit after the token at `position` of a text, as the sum of what each part of the model adds to it.

    The scale of the final norm is frozen at its value in the pass, which makes the logit a sum.

    logit: of the token `target`, or with `against` the difference of the two; before any soft cap. sum: of all parts.
    parts: in the order in which the model computes them; each has a name, for heads a number, its value, and for heads
    its `sources`, what it took from each token.
    neurons: the 50 hidden neurons whose values are largest in magnitude; they are parts of their MLP's value.
    checks: whether parts and sources sum up.
    report: what edits have changed. What they add to the residual stream itself is a part named "edits".
    """

    tokens: list[int]
    position: int
    target: int
    against: int | None
    logit: float
    parts: tuple[LogitPart, ...]
    sum: float
    neurons: tuple[NeuronPart, ...]
    checks: tuple[SelfCheck, ...]
    report: EditReport


def attribution_of(
    passes: WholePass,
    attribution: AttributionPass,
    tokens: Sequence[int],
    target: int,
    against: int | None,
    position: int,
    engine: Engine,
) -> Attribution:
    """The attribution over a text that fits into the context. Blocks. Raises `UsageError`."""
    count, index = len(tokens), integer(position)
    if index is None or not -count <= index < count:
        raise UsageError(f"{option('position', position)}: the text has {count} tokens; give {-count} to {count - 1}")
    passes.run(tokens)
    found = attribution.now(target, against, index % count)
    return Attribution(
        tokens=list(tokens),
        position=found.position,
        target=target,
        against=against,
        logit=found.logit,
        parts=found.parts,
        sum=found.sum,
        neurons=found.neurons,
        checks=found.checks(),
        report=report_of(engine),
    )
