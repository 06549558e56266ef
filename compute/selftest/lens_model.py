"""Logit lens and direct logit attribution in NumPy and float64, from the activations of `reference.forward`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compute.models.architectures import describe
from compute.models.names import split_name
from compute.models.operations import Attention, Linear, Operation, RmsNorm, Weight
from compute.weights.checkpoint import WeightSource

from . import reference
from .reference import Array


def lens_logits(source: WeightSource, stream: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    """Logits [T, vocabulary] of rows of the residual stream [T, C]; with a lens's weight [C, C] and bias [C]."""
    description = describe(source.config)
    h = stream if weight is None else reference.linear(stream, weight, bias)  # [T, C]
    norm, head = description.final_norm, description.head
    if isinstance(norm, RmsNorm):
        h = reference.rms_norm(h, _value(source, norm.scale), norm.epsilon, norm.offset)
    elif norm is not None:
        h = reference.layer_norm(h, _value(source, norm.scale), _optional(source, norm.shift), norm.epsilon)
    logits = reference.linear(h, _value(source, head.weight), _optional(source, head.bias))  # [T, V]
    logits = reference.soft_cap(logits, head.cap)
    return logits[:, : head.vocabulary]


def entropy(logits: Array) -> Array:
    """Of softmax(logits) [T, vocabulary], in nats; [T]."""
    p = reference.softmax(logits)
    logs = np.log(np.where(p > 0, p, 1.0))
    out: Array = -(p * logs).sum(axis=-1)
    return out


@dataclass(frozen=True)
class ExactParts:
    """values: by name and head, in the order of the model; sources: [keys] by name and head; logit: their sum."""

    values: dict[tuple[str, int | None], float]
    sources: dict[tuple[str, int], Array]
    neurons: dict[str, Array]
    logit: float


def attribution(
    source: WeightSource, acts: Mapping[str, Array], row: int, target: int, against: int | None = None
) -> ExactParts:
    """The parts of the logit of `target`, or of its difference to `against`, after context row `row`."""
    description = describe(source.config)
    head, norm = description.head, description.final_norm
    matrix, bias = _value(source, head.weight), _optional(source, head.bias)
    up = matrix[target] - (0 if against is None else matrix[against])  # [C]
    x = acts[description.stream[-1]][row]  # [C]

    def logit_of(part: Array, after: RmsNorm | None = None) -> float:
        """What `part` [C], a term of x, adds to the logit while the norm's scale stays that of x.

        after: a norm whose input `part` is a term of, and whose result is a term of x; its scale stays as well.
        """
        if after is not None:
            root = np.sqrt((acts[after.x][row] ** 2).mean() + after.epsilon)
            part = part / root * (_value(source, after.scale) + after.offset)
        if norm is None:
            return float(part @ up)
        if isinstance(norm, RmsNorm):
            root = np.sqrt((x**2).mean() + norm.epsilon)
            return float((part / root * (_value(source, norm.scale) + norm.offset)) @ up)
        deviation = np.sqrt(x.var() + norm.epsilon)
        return float(((part - part.mean()) / deviation * _value(source, norm.scale)) @ up)

    found = ExactParts({}, {}, {}, _logit(source, acts, row, up, target, against))
    for name, operation, after in _terms(description.stream, source):
        mixed = description.outputs.get(operation.x) if isinstance(operation, Linear) else None
        if isinstance(operation, Linear) and isinstance(mixed, Attention):
            weight, size = _value(source, operation.weight), mixed.head_size
            values = reference.by_head(acts[mixed.value.source], mixed.value)[: row + 1]  # [keys, K, D]
            for index in range(mixed.heads):
                part = slice(index * size, (index + 1) * size)
                found.values[name, index] = logit_of(weight[:, part] @ acts[mixed.output][row, part], after)
                taken = acts[mixed.pattern][index, row, : row + 1, None] * values[:, index // mixed.group]  # [keys, D]
                found.sources[name, index] = np.array([logit_of(weight[:, part] @ one, after) for one in taken])
            if operation.bias is not None:
                found.values[f"{name}.bias", None] = logit_of(_value(source, operation.bias), after)
            continue
        found.values[name, None] = logit_of(acts[operation.output][row], after)
        if isinstance(operation, Linear):
            weight, hidden = _value(source, operation.weight), acts[operation.x][row]
            found.neurons[operation.x] = np.array([logit_of(one, after) for one in (weight * hidden).T])
    if norm is not None and norm.shift is not None:
        found.values[norm.shift.name, None] = float(_value(source, norm.shift) @ up)
    if head.bias is not None and bias is not None:
        found.values[head.bias.name, None] = float(bias[target] - (0 if against is None else bias[against]))
    return found


def _terms(stream: tuple[str, ...], source: WeightSource) -> list[tuple[str, Operation, RmsNorm | None]]:
    """What adds to the residual stream, each with the name of its part, and the norm between it and the stream."""
    description = describe(source.config)
    found: list[tuple[str, Operation, RmsNorm | None]] = []
    for point in stream:
        for term in description.contributors(point):
            operation = description.outputs[description.canonical(term)]
            after: RmsNorm | None = None
            if isinstance(operation, RmsNorm):
                after = operation
                operation = description.outputs[after.x]
                term = operation.output
            block, short = split_name(term)
            name = term.rpartition(".")[0] if block is not None and "." in short else term
            found.append((name, operation, after))
    return found


def _logit(
    source: WeightSource, acts: Mapping[str, Array], row: int, up: Array, target: int, against: int | None
) -> float:
    head = describe(source.config).head
    bias = _optional(source, head.bias)
    added = 0.0 if bias is None else float(bias[target] - (0 if against is None else bias[against]))
    return float(acts[head.x][row] @ up) + added


def _value(source: WeightSource, weight: Weight) -> Array:
    return source.tensor(weight.name).astype(np.float64, copy=False)


def _optional(source: WeightSource, weight: Weight | None) -> Array | None:
    return None if weight is None else _value(source, weight)
