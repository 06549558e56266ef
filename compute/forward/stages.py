"""A description cut into stages: the operations that the generic programs compute in one kernel."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from compute.models.description import Description, Section
from compute.models.operations import Activation, Add, Alias, Gather, Head, Linear, Norm, Operation


@dataclass(frozen=True)
class Stage:
    """Operations of one section that one kernel computes; the last writes what later stages read.

    section: index into the description's sections. in_place: the activation, read here for the last time, whose memory
    the result takes.
    """

    section: int
    operations: tuple[Operation, ...]
    in_place: str | None = None

    @property
    def first(self) -> Operation:
        """The operation that decides which kernel it is."""
        return self.operations[0]

    @property
    def output(self) -> Operation:
        """The operation whose result later stages read."""
        return self.operations[-1]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Activations that it reads from earlier stages."""
        own = {operation.output for operation in self.operations}
        return tuple(name for operation in self.operations for name in operation.inputs if name not in own)


def stages(description: Description, apart: Collection[str] = ()) -> list[Stage]:
    """All operations in order, in as few stages as the generic kernels allow, the head's left out.

    apart: activations that must be written before anything reads them, so that they can be changed in between: no
    stage goes beyond one of them.
    """
    made = []
    for index, section in enumerate(description.sections):
        operations = [op for op in section.operations if not isinstance(op, (Alias, Head))]
        while operations:
            length, in_place = _fused(description, section, operations, apart)
            made.append(Stage(index, tuple(operations[:length]), in_place))
            del operations[:length]
    return made


def _fused(
    description: Description, section: Section, operations: Sequence[Operation], apart: Collection[str]
) -> tuple[int, str | None]:
    """How many of `operations` make one stage, and whose memory its result takes."""
    if _is_embedding(operations[:3]) and not any(op.output in apart for op in operations[:2]):
        return 3, None
    if len(operations) < 2 or not isinstance(operations[0], Linear) or operations[0].output in apart:
        return 1, None
    product, after = operations[0], operations[1]
    if description.readers(product.output) != (after.output,):
        return 1, None
    if isinstance(after, Activation):
        return 2, None
    if isinstance(after, Add) and len(after.terms) == 2 and after.terms[1] == product.output:
        stream = description.canonical(after.terms[0])
        # A kernel that reads the stream itself would read what it has changed already.
        own = stream in {description.canonical(name) for name in product.inputs}
        if description.last_reader(stream) == after.output and not own:
            return 2, stream
    return 1, None


def _is_embedding(operations: Sequence[Operation]) -> bool:
    """True for the rows of a token, those of a position, and their sum."""
    match operations:
        case [Gather(by="token") as tokens, Gather(by="position") as positions, Add() as total]:
            return total.terms == (tokens.output, positions.output)
    return False


def products_of(norm: Norm, follows: Sequence[Stage], description: Description) -> list[Stage]:
    """The first of the stages that follow a norm, if they are products of it and nothing else reads it; else none."""
    products: list[Stage] = []
    for stage in follows:
        if not isinstance(stage.first, Linear) or stage.first.x != norm.output:
            break
        products.append(stage)
    read = {stage.first.output for stage in products}
    return products if read == set(description.readers(norm.output)) else []


def reads_after(made: Sequence[Stage], description: Description) -> Iterator[frozenset[str]]:
    """For each stage the activations, by the names of their memory, that it or a later one reads."""
    needed: set[str] = {description.canonical(description.head.x)}
    reversed_sets = []
    for stage in reversed(made):
        needed |= {description.canonical(name) for name in stage.inputs}
        reversed_sets.append(frozenset(needed))
    return iter(reversed_sets[::-1])
