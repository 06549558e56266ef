"""The parts that a logit is the sum of, from the description of the model.

The residual stream is a sum: the embedding, and what attention and MLP of each block add. With the scale of the final
norm frozen, the logit is linear in it, so every term has a part of the logit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compute.models.description import Description
from compute.models.names import split_name
from compute.models.operations import Activation, Attention, Gated, Linear, RmsNorm, Weight


@dataclass(frozen=True)
class Whole:
    """What an operation adds to the stream, as one part. hidden: the neurons that it mixes, where it does.

    norm: of this part and the others, the norm between what they are and the stream, where there is one.
    """

    name: str
    output: str
    hidden: Neurons | None
    norm: RmsNorm | None = None


@dataclass(frozen=True)
class Neurons:
    """The hidden neurons of an MLP. reads: the matrix with a row per neuron; writes: that with a column per neuron.

    Of gated neurons `reads` is the matrix of the gates.
    """

    activation: Activation | Gated
    reads: Weight
    writes: Weight


@dataclass(frozen=True)
class Heads:
    """What the heads of one attention add, a part for each. writes: the matrix that mixes them."""

    name: str
    attention: Attention
    writes: Weight
    norm: RmsNorm | None = None


@dataclass(frozen=True)
class Bias:
    """A parameter that is added to the stream."""

    name: str
    weight: Weight
    norm: RmsNorm | None = None


Part = Whole | Heads | Bias


def parts_of(description: Description) -> Iterator[Part]:
    """What is added to the residual stream, in the order in which the model runs."""
    for point in description.stream:
        for term in description.contributors(point):
            yield from _parts(description, term)


def _parts(description: Description, term: str) -> Iterator[Part]:
    operation = description.outputs[description.canonical(term)]
    output, norm = operation.output, None
    if isinstance(operation, RmsNorm):  # after what it normalizes, and before the stream
        norm, operation = operation, description.outputs[description.canonical(operation.x)]
        term = operation.output
    source, name = None, _name(term)
    if isinstance(operation, Linear):
        source = description.outputs[description.canonical(operation.x)]
    if isinstance(operation, Linear) and isinstance(source, Attention):
        yield Heads(name, source, operation.weight, norm)
        if operation.bias is not None:
            yield Bias(f"{name}.bias", operation.bias, norm)
        return
    hidden = None
    if isinstance(operation, Linear) and isinstance(source, Activation | Gated):
        before = description.outputs[description.canonical(source.x)]
        if isinstance(before, Linear):
            hidden = Neurons(source, before.weight, operation.weight)
    yield Whole(name, output, hidden, norm)


def _name(output: str) -> str:
    """`h.3.attn` for h.3.attn.c_proj; names outside of blocks, and those of one word in a block, stay."""
    block, short = split_name(output)
    return output if block is None or "." not in short else output.rpartition(".")[0]
