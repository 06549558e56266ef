"""Every array that can be read of a pass, by name: the activations of a description, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .description import Description
from .operations import Attention, Head, Heads, Norm, Operation, RmsNorm, Rope


class Form(Enum):
    """How an array follows from the activation that it is read from."""

    WHOLE = "the activation itself"
    PART = "the columns of the heads, side by side"
    HEADS = "the columns of the heads, as [tokens, heads, head size]"
    SCORES = "the scores of all queries and keys, -inf where a query does not see the key: [heads, query, key]"
    NORMALIZED = "what the norm multiplies by its scale"
    DEVIATION = "what the norm divides each row by, a number per group of columns: [tokens, groups]"


@dataclass(frozen=True)
class Reading:
    """The array `name`: `form` of the activation `source`, for the operation that computes or reads it.

    source: also the name of an attention pattern, [heads, query, key], which is recomputed; of scores the first of the
    activations that they follow from. heads: the columns that are read, of `Form.PART` and `Form.HEADS`.
    """

    name: str
    source: str
    form: Form
    operation: Operation
    about: str
    heads: Heads | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Everything that must be known for it: of scores the queries and the keys."""
        if self.form is Form.SCORES and isinstance(self.operation, Attention):
            return tuple(dict.fromkeys((self.operation.query.source, self.operation.key.source)))
        return (self.source,)

    def shape(self) -> tuple[int | str, ...]:
        """The shape, with words for what depends on the text: "tokens", "query" and "key"."""
        operation, heads = self.operation, self.heads
        if isinstance(operation, Attention) and (self.form is Form.SCORES or self.source == operation.pattern):
            return (operation.heads, "query", "key")
        if heads is not None:
            return ("tokens", heads.heads, heads.size) if self.form is Form.HEADS else ("tokens", heads.columns)
        if self.form is Form.DEVIATION:
            assert isinstance(operation, Norm)
            return ("tokens", operation.columns // operation.scale.count)
        return ("tokens", operation.columns)


def pattern_of(attention: Attention) -> Reading:
    """The attention weights, [heads, query, key]."""
    return Reading(attention.pattern, attention.pattern, Form.WHOLE, attention, attention.about_pattern)


_PARTS = {
    "q": "Queries of all heads, side by side.",
    "k": "Keys of all heads, side by side.",
    "v": "Values of all heads, side by side.",
}
_SCORES = "How well each query fits each key, before softmax; -inf for later keys."


def attention_readings(description: Description, attention: Attention) -> Iterator[Reading]:
    """Queries, keys and values where they are parts of one activation, scores and pattern: called as the pattern, but
    for the last word.
    """
    stem = attention.pattern[: attention.pattern.rfind(".") + 1]
    for short, heads in parts_of_one(description, attention):
        yield Reading(f"{stem}{short}", heads.source, Form.PART, attention, _PARTS[short], heads)
    yield Reading(f"{stem}scores", attention.query.source, Form.SCORES, attention, _SCORES)
    yield pattern_of(attention)


def parts_of_one(description: Description, attention: Attention) -> tuple[tuple[str, Heads], ...]:
    """("q", columns), ("k", ...), ("v", ...), before any rotation, where one activation has all three; else nothing."""
    parts = []
    for short, heads in attention.parts:
        operation = description.outputs[description.canonical(heads.source)]
        parts.append((short, operation.x if isinstance(operation, Rope) else heads))
    one = len({heads.source for _, heads in parts}) == 1
    return tuple(parts) if one else ()


_latest: list[tuple[Description, dict[str, Reading]]] = []  # at most one


def readings(description: Description) -> dict[str, Reading]:
    """Every array under this project's names, in the order in which the model runs, the logits left out.

    The latest result is kept, because frames ask for it: leave it as it is.
    """
    if not _latest or _latest[0][0] is not description:
        _latest[:] = [(description, _readings(description))]
    return _latest[0][1]


def _readings(description: Description) -> dict[str, Reading]:
    found: list[Reading] = []
    for operation in description.operations():
        if isinstance(operation, Attention):
            found += attention_readings(description, operation)
        if not isinstance(operation, Head):
            found.append(Reading(operation.output, operation.output, Form.WHOLE, operation, operation.about))
    return {reading.name: reading for reading in found}


def norm_readings(norm: Norm) -> tuple[tuple[Form, str], ...]:
    """What follows from the input of a norm: forms, and a sentence on each."""
    if isinstance(norm, RmsNorm):
        return (
            (Form.NORMALIZED, f"{norm.about} Without the scale."),
            (Form.DEVIATION, "The root mean square that each row is divided by."),
        )
    return (
        (Form.NORMALIZED, f"{norm.about} Without scale and shift."),
        (Form.DEVIATION, "The standard deviation that each row is divided by."),
    )
