"""Every array that can be read of a pass, by name: the activations of a description, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from .description import Description
from .operations import Attention, Head, LayerNorm, Operation


class Form(Enum):
    """How an array follows from the activation that it is read from."""

    WHOLE = "the activation itself"
    QUERY = "its first third of columns"
    KEY = "its second third"
    VALUE = "its last third"
    QUERY_HEADS = "the first third, as [tokens, heads, head size]"
    KEY_HEADS = "the second third, as [tokens, heads, head size]"
    VALUE_HEADS = "the last third, as [tokens, heads, head size]"
    HEADS = "all columns, as [tokens, heads, head size]"
    SCORES = "query times key / sqrt(head size), -inf for later keys: [heads, query, key]"
    NORMALIZED = "each row to mean 0 and variance 1, without scale and shift"
    DEVIATION = "sqrt(variance + epsilon) of each row: [tokens, 1]"


BY_HEAD = frozenset({Form.QUERY_HEADS, Form.KEY_HEADS, Form.VALUE_HEADS, Form.HEADS})  # [tokens, heads, head size]


@dataclass(frozen=True)
class Reading:
    """The array `name`: `form` of the activation `source`, for the operation that computes or reads it.

    source: also the name of an attention pattern, [heads, query, key], which is recomputed.
    """

    name: str
    source: str
    form: Form
    operation: Operation
    about: str

    def shape(self) -> tuple[int | str, ...]:
        """The shape, with words for what depends on the text: "tokens", "query" and "key"."""
        match self.operation:
            case Attention() as attention if self.form is Form.SCORES or self.source == attention.pattern:
                return (attention.heads, "query", "key")
            case Attention() as attention if self.form in BY_HEAD:
                return ("tokens", attention.heads, attention.head_size)
        return ("tokens", 1 if self.form is Form.DEVIATION else self.operation.columns)


def pattern_of(attention: Attention) -> Reading:
    """The attention weights, [heads, query, key]."""
    return Reading(attention.pattern, attention.pattern, Form.WHOLE, attention, attention.about_pattern)


_PARTS = (
    ("q", Form.QUERY, "Queries of all heads, side by side."),
    ("k", Form.KEY, "Keys of all heads, side by side."),
    ("v", Form.VALUE, "Values of all heads, side by side."),
)
_SCORES = "How well each query fits each key, before softmax; -inf for later keys."


def attention_readings(attention: Attention) -> Iterator[Reading]:
    """Queries, keys, values, scores and pattern: called as the pattern, but for the last word."""
    stem = attention.pattern[: attention.pattern.rfind(".") + 1]
    for short, form, about in _PARTS:
        yield Reading(f"{stem}{short}", attention.qkv, form, attention, about)
    yield Reading(f"{stem}scores", attention.qkv, Form.SCORES, attention, _SCORES)
    yield pattern_of(attention)


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
            found += attention_readings(operation)
        if not isinstance(operation, Head):
            found.append(Reading(operation.output, operation.output, Form.WHOLE, operation, operation.about))
    return {reading.name: reading for reading in found}


def norm_readings(norm: LayerNorm) -> tuple[tuple[Form, str], ...]:
    """What follows from the input of a norm: forms, and a sentence on each."""
    return (
        (Form.NORMALIZED, f"{norm.about} Without scale and shift."),
        (Form.DEVIATION, "The standard deviation that each row is divided by."),
    )
