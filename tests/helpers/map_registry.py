"""Registries with real shapes but no memory, for layouts and labels, which need only shapes."""

from __future__ import annotations

from compute.forward.registry_build import build_registry
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.registry import Registry, Shard, TensorStorage
from compute.weights.checkpoint import open_model

STORIES = open_model("stories").config


class FakeActivations:
    """Activations without memory."""

    def __init__(self, context: int) -> None:
        self.context = context

    def shard(self, name: str, columns: int) -> Shard:
        return Shard(None, 0, 4 * columns * self.context, 0, self.context)


def registry(config: ModelConfig, context: int, *, traced: bool = True, shard_rows: int = 1 << 30) -> Registry:
    """A registry without memory. Matrices have shards of `shard_rows` rows."""
    return registry_of(describe(config), context, traced=traced, shard_rows=shard_rows)


def registry_of(description: Description, context: int, *, traced: bool = True, shard_rows: int = 1 << 30) -> Registry:
    """As `registry`, for a model of any architecture."""
    storages = {}
    for name, shape in ((weight.name, weight.shape) for weight in description.weights.values()):
        starts = range(0, shape[0], shard_rows if len(shape) == 2 else shape[0])
        shards = [Shard(None, 0, 0, first, min(shard_rows, shape[0] - first)) for first in starts]
        storages[name] = TensorStorage("buffer", "f32", 0, tuple(shards))
    logits = type("Logits", (), {"size": 4 * description.head.columns})()
    activations = FakeActivations(context) if traced else None
    return build_registry(description, storages, activations, logits)  # type: ignore[arg-type]
