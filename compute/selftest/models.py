"""Small models with odd shapes and large weights."""

from __future__ import annotations

import numpy as np

from compute.models.architectures import describe, parameter_shapes
from compute.models.config import ModelConfig
from compute.models.operations import Norm
from compute.weights.block_types import BlockType
from compute.weights.checkpoint import ArrayModel
from compute.weights.dtypes import DTYPES

SMALL = ModelConfig(layers=2, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=100)


def loud_model(config: ModelConfig, seed: int = 0, scale: float = 0.3) -> ArrayModel:
    """A model with float32 weights N(0, scale), larger than GPT-2's, so that every part of it affects the logits."""
    generator = np.random.default_rng(seed)
    arrays = {}
    scales = {operation.scale.name for operation in describe(config).operations() if isinstance(operation, Norm)}
    for name, shape in parameter_shapes(config).items():
        values = generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        arrays[name] = values + np.float32(1) if name in scales else values
    return ArrayModel("tiny", config, arrays)


def rounded_model(model: ArrayModel, dtype: str) -> ArrayModel:
    """`model` with its weights stored as `dtype`."""
    names = parameter_shapes(model.config)
    return ArrayModel(model.name, model.config, {name: model.tensor(name).astype(DTYPES[dtype]) for name in names})


def shape_of(config: ModelConfig) -> str:
    """The shape in a few characters: layers, heads, channels, vocabulary."""
    return f"{config.layers} layers, {config.heads} heads, {config.channels} channels, {config.vocabulary} tokens"


def some_tokens(config: ModelConfig, count: int, seed: int = 0) -> list[int]:
    """Random token ids of the model's vocabulary."""
    return [int(token) for token in np.random.default_rng(seed).integers(config.vocabulary, size=count)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal float32 values of this shape."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def random_blocks(kind: BlockType, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A quantized matrix with values of the order of 1, uint8 [rows, bytes of a row].

    All bits are random but those of the scales of blocks.
    """
    generator = np.random.default_rng([seed, kind.nbytes, rows, columns])
    raw = generator.integers(0, 256, (rows, columns // kind.values, kind.nbytes), np.uint8)
    largest = (1 << kind.bits - 1) * (63 if kind.super_blocks else 1)  # code times scale of a group
    scales = generator.uniform(0.5, 2, (rows, columns // kind.values, 2)) / [largest, largest / kind.bits]
    halves = scales.astype("<f2").view(np.uint8)
    if kind.name == "q6_k":
        raw[..., -2:] = halves[..., :2]
    else:
        raw[..., : 4 if kind.minimum else 2] = halves[..., : 4 if kind.minimum else 2]
    return raw.reshape(rows, -1)


def layouts(software: bool) -> tuple[str, ...]:
    """The ways in which an adapter can store weights: textures or buffers on software adapters, otherwise buffers."""
    return ("texture", "buffer") if software else ("buffer",)
