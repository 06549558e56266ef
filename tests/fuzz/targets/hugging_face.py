"""Folders in Hugging Face format: safetensors, `config.json`, and the token names beside them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from safetensors.numpy import save

from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.selftest.small_models import SMALL_MODELS
from compute.weights.hugging_face import CONFIG, WEIGHTS, stored_names, stored_shape
from compute.weights.hugging_face_config import config_json

from ..models import read_every_tensor
from ..mutation import change_bytes, change_json
from ..scratch import folder
from ..sections import change_sections, joined, written
from ..target import Target

_SIZES = ModelConfig(1, 1, 4, 2, 3, 3)
_NAMES = stored_names(_SIZES)
_TENSORS = {_NAMES[name]: stored_shape(weight) for name, weight in describe(_SIZES).weights.items()}
_OTHERS = [
    replace(
        SMALL_MODELS[name],
        layers=1,
        vocabulary=3,
        padded_vocabulary=3,
        window_blocks=SMALL_MODELS[name].window_blocks[:1],
    )
    for name in ("llama", "gemma3", "gpt_neox")
]
# Keys that are looked at, though writers may leave them out.
_WORDS = [
    *sorted({name for config in (_SIZES, *_OTHERS) for name in config_json(config, "f32")}), "rope_parameters",
    "rope_type", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "llama3",
    "linear", "yarn", "full_attention", "sliding_attention", "tie_word_embeddings", "n_inner", "scale_attn_weights",
    "add_cross_attention",
    "scale_attn_by_inverse_layer_idx", "quantization_config", "GPT2LMHeadModel", "GPT2Model", "gelu_pytorch_tanh",
]  # fmt: skip
_HEADER_WORDS = [
    *_TENSORS, *(f"transformer.{name}" for name in _TENSORS), "lm_head.weight", "h.0.attn.bias", "__metadata__",
    "dtype", "shape", "data_offsets", "F32", "F16", "BF16", "F64", "I8", "BOOL", "F8_E4M3",
]  # fmt: skip
_change_header = change_json(_HEADER_WORDS)


def seeds() -> Sequence[bytes]:
    """With and without a prefix, a head and masks, in two types; one with added tokens; other architectures."""
    plain: dict[str, np.ndarray] = {name: np.ones(shape, np.float32) for name, shape in _TENSORS.items()}
    more = {f"transformer.{name}": values.astype(np.float16) for name, values in plain.items()}
    more |= {"lm_head.weight": more["transformer.wte.weight"], "transformer.h.0.attn.bias": np.zeros((1, 1), np.uint8)}
    others = [joined({CONFIG: json.dumps(config_json(one, "f32")).encode(), WEIGHTS: _weights(one)}) for one in _OTHERS]
    large = json.dumps(config_json(_SIZES, "f16") | {"vocab_size": 50264}).encode()
    names = json.dumps({"added_tokens": [{"content": "<pad>", "id": 50257}], "model": {"vocab": {}}}).encode()
    return [
        joined({CONFIG: json.dumps(config_json(_SIZES, "f32")).encode(), WEIGHTS: save(plain)}),
        joined({CONFIG: json.dumps(config_json(_SIZES, "f16")).encode(), WEIGHTS: save(more)}),
        joined({CONFIG: large, WEIGHTS: b"", "tokenizer.json": names}),
        *others,
    ]


def _weights(config: ModelConfig) -> bytes:
    names = stored_names(config)
    return save({names[name]: np.ones(stored_shape(one), np.float16) for name, one in describe(config).weights.items()})


def use(data: bytes) -> None:
    """Open the folder and read every tensor."""
    place = folder()
    written(data, place, _CHANGES)
    read_every_tensor(place)


def _change_weights(data: bytes, chance: random.Random) -> bytes:
    """Change the header, keeping its length field correct, or any bytes."""
    length = int.from_bytes(data[:8], "little")
    if length > len(data) or chance.random() < 0.2:
        return change_bytes(data, chance)
    header, body = data[8 : 8 + length], data[8 + length :]
    if chance.random() < 0.2:
        body = change_bytes(body, chance)
    else:
        header = _change_header(header, chance)
    return len(header).to_bytes(8, "little") + header + body


_CHANGES: dict[str, Any] = {
    CONFIG: change_json(_WORDS),
    WEIGHTS: _change_weights,
    "tokenizer.json": change_json(["added_tokens", "content", "id", "model", "vocab"]),
    "added_tokens.json": change_json(),
    "model.safetensors.index.json": change_bytes,
}

TARGET = Target(use, seeds, change_sections(_CHANGES), longest=1 << 18)
