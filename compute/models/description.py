"""A model as data: its operations in the order in which they run, and what follows from them.

Everything that has to know the model asks here: registry, memory budget, upload, programs, views, file formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from .axes import Axes, axes_of
from .config import ModelConfig
from .operations import Add, Alias, Attention, Gather, Head, Norm, Operation, Weight


@dataclass(frozen=True)
class Section:
    """A stretch of the model: the embedding, one block, or the head. `block` is its number, None for the other two."""

    title: str
    block: int | None
    operations: tuple[Operation, ...]

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """The weights of its operations, each once, in the order of their first use."""
        unique = {weight.name: weight for operation in self.operations for weight in operation.weights}
        return tuple(unique.values())

    def computed(self) -> Iterator[Operation]:
        """Operations with memory of their own: all but second names, and the head's, whose result is the logits."""
        return (operation for operation in self.operations if not isinstance(operation, (Alias, Head)))


@dataclass(frozen=True)
class Description:
    """The model of `config`, of the architecture of that name. Raises ValueError when it does not hang together.

    The first section is the embedding, the last the head; the blocks lie between them.
    """

    architecture: str
    config: ModelConfig
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        known: set[str] = set()
        for operation in self.operations():
            missing = [name for name in operation.inputs if name not in known]
            if missing or operation.output in known:
                raise ValueError(f"{operation.output}: reads {missing or 'nothing unknown'}, or is computed twice")
            known.add(operation.output)

    def operations(self) -> Iterator[Operation]:
        """All operations in the order in which they run."""
        return (operation for section in self.sections for operation in section.operations)

    @cached_property
    def weights(self) -> MappingProxyType[str, Weight]:
        """All weights by name, in the order in which the model runs; a weight that is used twice is in it once."""
        weights = {weight.name: weight for section in self.sections for weight in section.weights}
        return MappingProxyType(weights)

    @cached_property
    def outputs(self) -> MappingProxyType[str, Operation]:
        """The operation that writes each activation, by the activation's name."""
        return MappingProxyType({operation.output: operation for operation in self.operations()})

    @cached_property
    def aliases(self) -> MappingProxyType[str, str]:
        """Second names of activations, and the name that the memory goes by."""
        aliases: dict[str, str] = {}
        for operation in self.operations():
            if isinstance(operation, Alias):
                aliases[operation.output] = aliases.get(operation.source, operation.source)
        return MappingProxyType(aliases)

    def section_of(self, name: str) -> Section | None:
        """The section that the tensor `name` belongs to, a weight to the first that uses it; None for other names."""
        return self._sections.get(name)

    @cached_property
    def _sections(self) -> dict[str, Section]:
        sections: dict[str, Section] = {}
        for section in self.sections:
            for operation in section.operations:
                pattern = (operation.pattern,) if isinstance(operation, Attention) else ()
                for name in (operation.output, *pattern, *(weight.name for weight in operation.weights)):
                    sections.setdefault(name, section)
        return sections

    @cached_property
    def axes(self) -> MappingProxyType[str, Axes]:
        """What the dimensions of each tensor count, by the tensor's name."""
        return MappingProxyType(axes_of(self))

    @cached_property
    def attention(self) -> tuple[Attention, ...]:
        """Attention of each block."""
        return tuple(operation for operation in self.operations() if isinstance(operation, Attention))

    @cached_property
    def patterns(self) -> MappingProxyType[str, Attention]:
        """The attention of each pattern, by the pattern's name."""
        return MappingProxyType({attention.pattern: attention for attention in self.attention})

    @cached_property
    def head(self) -> Head:
        """The operation that makes the logits."""
        return next(operation for operation in self.operations() if isinstance(operation, Head))

    @cached_property
    def final_norm(self) -> Norm | None:
        """The norm that the head reads; None when it reads something else."""
        operation = self.outputs[self.canonical(self.head.x)]
        return operation if isinstance(operation, Norm) else None

    @cached_property
    def token_table(self) -> Weight:
        """The embedding of tokens, [padded vocabulary, channels]."""
        return next(op.table for op in self.operations() if isinstance(op, Gather) and op.by == "token")

    @cached_property
    def tied_head(self) -> bool:
        """True when the head's matrix is the token embedding."""
        return self.head.weight.name == self.token_table.name

    @cached_property
    def token_tables(self) -> frozenset[str]:
        """Names of the weights with a row per token, padding included: the token embedding and the head's matrix."""
        return frozenset({self.token_table.name, self.head.weight.name})

    @cached_property
    def by_vocabulary(self) -> frozenset[str]:
        """Names of the tensors with a row or value per token of the vocabulary: the token tables and the logits."""
        return self.token_tables | {self.head.output}

    @cached_property
    def position_tables(self) -> frozenset[str]:
        """Names of embeddings of positions. They are small, and read a row at a time: never rounded or packed."""
        return frozenset(op.table.name for op in self.operations() if isinstance(op, Gather) and op.by == "position")

    def readers(self, name: str) -> tuple[str, ...]:
        """Outputs of the operations that read the activation or weight `name`: what it is used by."""
        return self._readers.get(name, ())

    @cached_property
    def _readers(self) -> dict[str, tuple[str, ...]]:
        readers: dict[str, list[str]] = {}
        for operation in self.operations():
            for name in (*operation.inputs, *(weight.name for weight in operation.weights)):
                readers.setdefault(name, []).append(operation.output)
        return {name: tuple(outputs) for name, outputs in readers.items()}

    def last_reader(self, name: str) -> str | None:
        """Output of the last operation that reads the memory of the activation `name`, by whichever name."""
        names = (name, *(alias for alias, source in self.aliases.items() if source == name))
        outputs = {out for known in names for out in self.readers(known)} - set(self.aliases)
        return next((output for output in reversed(self.outputs) if output in outputs), None)

    def sources(self, name: str) -> tuple[str, ...]:
        """Activations and weights that the activation `name` is computed from; nothing for a weight."""
        operation = self.outputs.get(name)
        if operation is None:
            return ()
        return (*operation.inputs, *(weight.name for weight in operation.weights))

    @cached_property
    def stream(self) -> tuple[str, ...]:
        """The residual stream: its points in order, from the embedding to what the last block leaves.

        The first point is the result of the first section. Each later one is a sum of the point before and of what the
        operations between add to it.
        """
        points = [self.canonical(self.sections[0].operations[-1].output)]
        for operation in self.operations():
            if isinstance(operation, Add) and self.canonical(operation.terms[0]) == points[-1]:
                points.append(operation.output)
        return tuple(points)

    def contributors(self, point: str) -> tuple[str, ...]:
        """Activations that the residual stream's `point` adds to the point before.

        For the first point these are all terms of the sum; when it is not a sum, the point itself by its second name in
        the first section, if it has one there.
        """
        operation = self.outputs[point]
        if not isinstance(operation, Add):
            others = (other.output for other in self.sections[0].operations if isinstance(other, Alias))
            return (next(others, point),)
        return operation.terms if point == self.stream[0] else operation.terms[1:]

    def canonical(self, name: str) -> str:
        """The name that the memory of activation `name` goes by: that of the operation which writes it."""
        return self.aliases.get(name, name)
