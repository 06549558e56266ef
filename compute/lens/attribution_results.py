"""Where the results of an attribution are in its buffer, and the parts from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from compute.models.description import Description
from compute.models.operations import RmsNorm, Weight

from .attribution import EDITS, NEURONS, LogitPart, LogitParts, NeuronPart
from .parts import Heads, Neurons, Part, Whole, parts_of

_BLOCK = 64  # neurons
HEADER = 4  # words before the parts: logit, final shift, head bias, the whole stream
STREAM = 3  # the word of the stream


@dataclass(frozen=True)
class ResultLayout:
    """Words of the results: a header, the values of all parts, pairs for the neurons, and the sources of all heads.

    slots: the parts with the word of their first value; neurons: the first word by activation; sources: the first word;
    heads: of all layers together; edited: edits change the stream, so that a part stands for what they add to it;
    replaced: outputs of attention that edits change, which therefore are not sums over tokens.
    """

    description: Description
    slots: tuple[tuple[Part, int], ...]
    neurons: Mapping[str, int]
    sources: int
    heads: int
    edited: bool
    replaced: frozenset[str]

    @classmethod
    def of(
        cls, description: Description, *, edited: bool = False, replaced: frozenset[str] = frozenset()
    ) -> ResultLayout:
        """The layout for a model."""
        slots, at = [], HEADER
        for part in parts_of(description):
            slots.append((part, at))
            at += part.attention.heads if isinstance(part, Heads) else 1
        neurons = {}
        for hidden in (part.hidden for part, _ in slots if isinstance(part, Whole) and part.hidden is not None):
            neurons[hidden.activation.output] = at
            at += 2 * hidden.activation.columns
        heads = sum(part.attention.heads for part, _ in slots if isinstance(part, Heads))
        return cls(description, tuple(slots), neurons, at, heads, edited, replaced)

    def words(self, keys: int) -> int:
        """Words of the results for a row that attends to `keys` rows."""
        return self.sources + self.heads * keys

    def pulled(self) -> Iterator[tuple[Weight, str, RmsNorm | None]]:
        """The matrices to pull the direction through, and the activations that they read."""
        for part, _ in self.slots:
            if isinstance(part, Heads):
                yield part.writes, part.attention.output, part.norm
            elif isinstance(part, Whole) and part.hidden is not None:
                yield part.hidden.writes, part.hidden.activation.output, part.norm

    def parse(self, data: bytes, row: int, target: int, against: int | None) -> LogitParts:
        """Decode the results for context row `row`."""
        values = np.frombuffer(data, np.float32)
        sources = values[self.sources :].reshape(self.heads, row + 1)
        parts: list[LogitPart] = []
        head = 0
        for part, slot in self.slots:
            if isinstance(part, Heads):
                whole = part.attention.output not in self.replaced
                for index in range(part.attention.heads):
                    value, taken = float(values[slot + index]), sources[head] if whole else None
                    parts.append(LogitPart(part.name, index, value, part.attention.output, taken))
                    head += 1
            else:
                tensor = part.output if isinstance(part, Whole) else part.weight.name
                parts.append(LogitPart(part.name, None, float(values[slot]), tensor))
        if self.edited:
            added = float(values[STREAM]) - sum(part.value for part in parts)
            parts.append(LogitPart(EDITS, None, added, ""))
        norm = self.description.final_norm
        last = (norm.shift if norm else None, float(values[1])), (self.description.head.bias, float(values[2]))
        parts += [LogitPart(weight.name, None, value, weight.name) for weight, value in last if weight is not None]
        return LogitParts(row, target, against, float(values[0]), tuple(parts), self._largest(values))

    def _largest(self, values: np.ndarray) -> tuple[NeuronPart, ...]:
        """The neurons with the largest values."""
        hidden = [part.hidden for part, _ in self.slots if isinstance(part, Whole) and part.hidden is not None]
        if not hidden:
            return ()
        starts = [self.neurons[one.activation.output] for one in hidden]
        columns = np.cumsum([0, *(one.activation.columns for one in hidden)])
        pairs = values[starts[0] : starts[0] + 2 * columns[-1]].reshape(-1, 2)
        size = np.where(np.isfinite(pairs[:, 1]), np.abs(pairs[:, 1]), np.inf)  # a broken neuron comes first
        count = min(NEURONS, len(size))
        chosen = _largest_indices(size, count)
        found = []
        for index in chosen[np.lexsort((chosen, -size[chosen]))]:
            layer = int(np.searchsorted(columns, index, "right")) - 1
            found.append(_neuron(hidden[layer], int(index - columns[layer]), pairs[index]))
        return tuple(found)


def _largest_indices(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` largest values, which are not negative, in no order.

    They are in the `count` blocks with the largest maxima: ten times faster than looking at all values.
    """
    padded = np.full(-(-len(values) // _BLOCK) * _BLOCK, -1, values.dtype)
    padded[: len(values)] = values
    blocks = padded.reshape(-1, _BLOCK)
    some = min(count, len(blocks))
    rows = np.argpartition(-blocks.max(axis=1), some - 1)[:some]
    found = blocks[rows]
    at = np.argpartition(-found.ravel(), count - 1)[:count]
    result: np.ndarray = rows[at // _BLOCK] * _BLOCK + at % _BLOCK
    return result


def _neuron(hidden: Neurons, index: int, pair: np.ndarray) -> NeuronPart:
    activation = hidden.activation
    return NeuronPart(
        name=activation.output,
        index=index,
        activation=float(pair[0]),
        value=float(pair[1]),
        reads=hidden.reads.name,
        writes=hidden.writes.name,
        about=activation.about,
    )
