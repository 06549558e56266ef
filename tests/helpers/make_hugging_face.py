"""Small models in Hugging Face format, sound and broken, written with the safetensors library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.weights.checkpoint import ArrayModel

from helpers.make_models import TINY, tiny_model

TYPES = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def unpadded(config: ModelConfig) -> ModelConfig:
    """`config` as the format stores it: without padding rows."""
    sizes = vars(config) | {"padded_vocabulary": config.vocabulary}
    return ModelConfig(**sizes)


def state_dict(model: ArrayModel, dtype: str = "f32", prefix: str = "") -> dict[str, np.ndarray]:
    """The tensors of `model` under the format's names, matrices of linear layers [in, out]."""
    tensors = {}
    for name in parameter_shapes(model.config):
        values = model.tensor(name).astype(TYPES[dtype])
        stored = f"{name}.weight" if name in ("wte", "wpe") else name
        tensors[prefix + stored] = np.ascontiguousarray(values.T if name.endswith(CONV1D) else values)
    return tensors


def config_values(config: ModelConfig = TINY, **others: Any) -> dict[str, Any]:
    """A `config.json`; `others` replace its values or add some."""
    values = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-05,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_embd": config.channels,
        "n_positions": config.positions,
        "vocab_size": config.vocabulary,
    }
    return values | others


def write_folder(
    folder: Path,
    tensors: Mapping[str, np.ndarray] | None = None,
    config: ModelConfig = TINY,
    *,
    file: str = "model.safetensors",
    without: str = "",
    **others: Any,
) -> Path:
    """Write `tensors` (the tiny model's by default) and a config, without its value `without`; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if tensors is None:
        tensors = state_dict(tiny_model(unpadded(config)))
    save_file(dict(tensors), folder / file, metadata={"format": "pt"})
    values = config_values(config, **others)
    values.pop(without, None)
    (folder / "config.json").write_text(json.dumps(values))
    return folder
