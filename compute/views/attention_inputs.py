"""What views of attention read: the kept queries and keys of a layer, and what their kernels must know about it."""

from __future__ import annotations

from compute.forward.attention_kernels import attention_values, heads_values, source_columns
from compute.forward.pass_tensors import PassTensors
from compute.forward.program import resource
from compute.gpu.kernels import Resource
from compute.models.operations import Attention


def head_values(engine: PassTensors, attention: Attention) -> dict[str, str | int | float | bool]:
    """What kernels that recompute attention must know about a layer."""
    return {
        "context": engine.context,
        **attention_values(attention),
        **heads_values("query", attention.query, source_columns(engine.description, attention.query)),
        **heads_values("key", attention.key, source_columns(engine.description, attention.key)),
    }


def query_and_key(engine: PassTensors, attention: Attention) -> dict[str, Resource]:
    """The activations that contain the queries and the keys of a layer."""
    return {
        f"{name}_of_rows": resource(engine.registry[heads.source].storage.shards[0])
        for name, heads in (("query", attention.query), ("key", attention.key))
    }
