"""Fills a registry: every weight and every kept activation of a description, in the order in which the model runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import wgpu

from compute.models.description import Description, Section
from compute.models.operations import Alias, Attention, Operation, Weight
from compute.models.registry import Registry, Shard, Tensor, TensorStorage

from .activation_buffers import Activations


def build_registry(
    description: Description,
    weights: Mapping[str, TensorStorage],
    activations: Activations | None,
    logits: wgpu.GPUBuffer,
) -> Registry:
    """The registry of a model whose weights and activations are stored as given; without activations only the rest."""
    registry = Registry(description)
    for section in description.sections:
        aliases = [operation for operation in section.operations if isinstance(operation, Alias)]
        _add_activations(registry, description, section, aliases, activations)
        for weight in section.weights:
            if weight.name not in registry:  # a head may share its matrix with the embedding
                _add_weight(registry, section, weight, weights[weight.name])
        _add_activations(registry, description, section, section.computed(), activations)
    head = description.head
    storage = TensorStorage("buffer", "f32", 0, (Shard(logits, 0, logits.size, 0, 1),))
    registry.add(Tensor(head.output, "logits", 1, head.columns, True, head.about, storage))
    return registry


def _add_weight(registry: Registry, section: Section, weight: Weight, storage: TensorStorage) -> None:
    vector = len(weight.shape) == 1
    rows, columns = (1, *weight.shape) if vector else weight.shape
    # Strip shows what blocks are made of; the tables around them would fill it.
    in_strip = section.block is not None
    registry.add(Tensor(weight.name, "weight", rows, columns, vector, weight.about, storage, in_strip))


def _add_activations(
    registry: Registry,
    description: Description,
    section: Section,
    operations: Iterable[Operation],
    activations: Activations | None,
) -> None:
    if activations is None:
        return
    for operation in operations:
        if isinstance(operation, Attention):
            _add_pattern(registry, operation, activations.context)
        name, columns = operation.output, operation.columns
        storage = TensorStorage("buffer", "f32", 0, (activations.shard(description.canonical(name), columns),))
        kind = "embedding" if section is description.sections[0] else "activation"
        # A second name is shown in Strip only where the stream enters the first block.
        in_strip = not isinstance(operation, Alias) or section is description.sections[1]
        registry.add(Tensor(name, kind, None, columns, False, operation.about, storage, in_strip))


def _add_pattern(registry: Registry, attention: Attention, context: int) -> None:
    # Of all layers they would take far more than the rest: whoever shows them recomputes them.
    storage = TensorStorage("recomputed", "f32", 0, ())
    name, about = attention.pattern, attention.about_pattern
    registry.add(Tensor(name, "activation", None, context, False, about, storage, False, heads=attention.heads))
