"""Builds the registry: every parameter and every activation, in the order in which the model uses them."""

from __future__ import annotations

import wgpu

from compute.models.config import ModelConfig, layer_parameter_shapes, parameter_shapes
from compute.models.descriptions import description
from compute.models.registry import Registry, Shard, Tensor, TensorStorage

from .activation_buffers import Activations, embed_columns, layer_columns


def build_registry(
    config: ModelConfig, parameters: dict[str, TensorStorage], activations: Activations | None, logits: wgpu.GPUBuffer
) -> Registry:
    """The registry of a model; activations: None when they are not kept, and then they are left out."""
    registry = Registry(config)
    shapes = parameter_shapes(config)

    def parameter(name: str, *, strip: bool) -> None:
        shape = shapes[name]
        rows, columns = (1, shape[0]) if len(shape) == 1 else shape
        registry.add(Tensor(name, "weight", rows, columns, len(shape) == 1, description(name), parameters[name], strip))

    def activation(
        name: str, columns: int, *, stored_as: str = "", kind: str = "activation", strip: bool = True
    ) -> None:
        if activations is None:
            return
        shard = activations.shard(stored_as or name, columns)
        storage = TensorStorage("buffer", "f32", 0, (shard,))
        registry.add(Tensor(name, kind, None, columns, False, description(name), storage, strip))

    def pattern(name: str, context: int) -> None:
        # Patterns of all layers would take far more memory than everything else: views recompute them from attn.qkv.
        storage = TensorStorage("recomputed", "f32", 0, ())
        registry.add(
            Tensor(name, "activation", None, context, False, description(name), storage, False, heads=config.heads)
        )

    parameter("wte", strip=False)
    parameter("wpe", strip=False)
    for name, columns in embed_columns(config).items():
        activation(name, columns, kind="embedding")
    for layer in range(config.layers):
        h = f"h.{layer}."
        # The input of a block is the output of the previous one: one location in memory with two names.
        previous = "embed.sum" if layer == 0 else f"h.{layer - 1}.resid_post"
        activation(h + "resid_pre", config.channels, stored_as=previous, strip=layer == 0)
        for name in layer_parameter_shapes(config):
            parameter(h + name, strip=True)
        for name, columns in layer_columns(config).items():
            activation(h + name, columns)
            if name == "attn.qkv" and activations is not None:
                pattern(h + "attn.pattern", activations.context)
    parameter("ln_f.weight", strip=False)
    parameter("ln_f.bias", strip=False)
    activation("ln_f", config.channels)
    storage = TensorStorage("buffer", "f32", 0, (Shard(logits, 0, logits.size, 0, 1),))
    registry.add(Tensor("logits", "logits", 1, config.padded_vocabulary, True, description("logits"), storage))
    return registry
