"""GGUF files of every architecture: the config and each tensor are those of the model that was written."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.models.architecture import GgufFields
from compute.models.architectures import architecture_of, describe, parameter_shapes
from compute.models.config import ModelConfig
from compute.models.names import split_name
from compute.selftest.models import loud_model
from compute.selftest.small_models import SMALL_MODELS
from compute.weights.checkpoint import ArrayModel, open_model

from helpers.make_gguf import Stored, blocks, plain, write_gguf


def fields_of(config: ModelConfig) -> GgufFields:
    gguf = architecture_of(config).gguf
    assert gguf is not None
    return gguf


def metadata(config: ModelConfig) -> dict[str, Any]:
    """What a converter writes, from the table of the architecture."""
    gguf = fields_of(config)
    name = gguf.architectures[0]
    values: dict[str, Any] = {"general.architecture": name}
    derived = {"own_head_size": config.head_size, "own_kv_heads": config.kv_heads, "own_neurons": config.neurons}
    for field, key in gguf.fields.items():
        part, _, inner = field.rpartition(".")
        value = getattr(config.rope if part else config, inner)
        if inner == "channels" and part:
            value = value or config.head_size
        value = derived.get(field, value)
        if field == "rope.linear" and value == 1:
            continue
        values[f"{name}.{key}"] = value
    values["tokenizer.ggml.tokens"] = [str(token) for token in range(config.vocabulary)]
    return values


def as_stored(config: ModelConfig, name: str, values: np.ndarray) -> np.ndarray:
    """A tensor as convert_hf_to_gguf.py of llama.cpp changes it."""
    gguf, short = fields_of(config), split_name(name)[1]
    module = short.rpartition(".")[0]
    size = config.head_size
    if module in gguf.permuted:  # `permute` for interleaved rotation
        split = values.reshape(len(values) // size, 2, size // 2, *values.shape[1:])
        return split.swapaxes(1, 2).reshape(values.shape)
    if module in gguf.thirds:  # GPT-NeoX: [heads, 3, head size, ...] to all queries, all keys, all values
        split = values.reshape(config.heads, 3, size, *values.shape[1:])
        return np.concatenate([split[:, third].reshape(-1, *values.shape[1:]) for third in range(3)])
    return values + np.float32(1) if short in gguf.offset else values


def stored_name(config: ModelConfig, name: str) -> str:
    block, short = split_name(name)
    stored = fields_of(config).tensors[short]
    return stored if block is None else f"blk.{block}.{stored}"


def tensors(config: ModelConfig, model: ArrayModel) -> dict[str, Stored]:
    return {
        stored_name(config, name): plain(as_stored(config, name, model.tensor(name)))
        for name in parameter_shapes(config)
    }


def comparable(config: ModelConfig) -> ModelConfig:
    """A config as a file can say it: padding belongs to a tokenizer, and Llama 3's scaling is a tensor of factors."""
    rope = config.rope
    assert rope is not None
    factors = tuple(rope_factors(config).tolist()) if rope.llama3 is not None else ()
    return dataclasses.replace(config, rope=dataclasses.replace(rope, llama3=None, factors=factors))


def rope_factors(config: ModelConfig) -> np.ndarray:
    assert config.rope is not None
    plain_rope = dataclasses.replace(config.rope, llama3=None)
    ratio = np.divide(plain_rope.frequencies(config.head_size), config.rope.frequencies(config.head_size))
    return ratio.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("family", SMALL_MODELS)
def test_a_model_is_read_as_it_was_written(tmp_path: Path, family: str) -> None:
    # No key says how attention is scaled.
    config = dataclasses.replace(SMALL_MODELS[family], attention_scale=0.0)
    model = loud_model(config)
    stored = tensors(config, model)
    if config.rope is not None and config.rope.llama3 is not None:
        stored["rope_freqs.weight"] = plain(rope_factors(config))
    path = write_gguf(tmp_path / "m.gguf", metadata(config), stored)
    read = open_model(str(path))
    wanted, found = comparable(config), read.config
    assert found.rope == wanted.rope
    # Which blocks have a window follows from the architecture; files do not say it.
    assert dataclasses.replace(found, window_blocks=wanted.window_blocks) == wanted
    for name, shape in parameter_shapes(found).items():
        values = read.tensor(name)
        assert values.shape == shape
        assert np.allclose(values, model.tensor(name), rtol=0, atol=2e-7), name
    read.close()


def test_quantized_rows_are_put_in_order(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL_MODELS["llama"], channels=64, heads=4, own_neurons=64, own_head_size=0)
    model = loud_model(config)
    stored = tensors(config, model)
    name = "layers.1.self_attn.k_proj.weight"
    rows, columns = describe(config).weights[name].shape
    stored[stored_name(config, name)] = blocks("q8_0", rows, columns)
    read = open_model(str(write_gguf(tmp_path / "m.gguf", metadata(config), stored)))
    values = np.frombuffer(stored[stored_name(config, name)].data, np.uint8).reshape(rows, columns // 32, 34)
    scales = values[..., :2].copy().view("<f2").astype(np.float32)
    in_file = (values[..., 2:].view(np.int8) * scales).reshape(rows, columns)
    assert np.array_equal(as_stored(config, name, read.tensor(name)), in_file)
    assert not np.array_equal(read.tensor(name), in_file)
