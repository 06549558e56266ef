"""An architecture that only tests have, and random models of it in Hugging Face layout.

Attention and MLP read the same norm, and the residual stream takes both at once. Everything else also differs from
GPT-2: ReLU, no biases, matrices stored [out, in], a head with a matrix of its own, an MLP three times as wide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from compute.models.architecture import Architecture, ConfigFields
from compute.models.architectures import describe, register
from compute.models.builder import Builder
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.weights.dtypes import DTYPES

_WIDTH = 3  # of the MLP, in channels


def parallel(config: ModelConfig) -> Description:
    """The model of `config`. T tokens of context, C channels, H heads, N positions, V rows of the vocabulary."""
    c = config.channels
    m = Builder(config, _ABOUT)

    m.section("embedding")
    wpe = m.weight("wpe", config.positions, c)  # [N, C]
    wte = m.weight("wte", config.padded_vocabulary, c)  # [V, C]
    positions = m.gather("embed.positions", wpe, by="position")  # [T, C]
    tokens = m.gather("embed.tokens", wte, by="token")  # [T, C]
    stream = m.add("embed.sum", positions, tokens)  # [T, C]

    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("resid_pre", stream)  # [T, C]
        norm = m.layer_norm("ln_1", pre, bias=False)  # [T, C]
        x = m.linear("attn.qkv", norm, "attn.c_attn", 3 * c, bias=False)  # [T, 3C]
        x = m.attention("attn.out", x, heads=config.heads, pattern="attn.pattern")  # [T, C], [H, T, T]
        attention = m.linear("attn.c_proj", x, "attn.c_proj", c, bias=False)  # [T, C]
        x = m.linear("mlp.c_fc", norm, "mlp.c_fc", _WIDTH * c, bias=False)  # [T, 3C]
        x = m.activation("mlp.relu", x, "relu")  # [T, 3C]
        mlp = m.linear("mlp.c_proj", x, "mlp.c_proj", c, bias=False)  # [T, C]
        stream = m.add("resid_post", pre, attention, mlp)  # [T, C]

    m.section("head")
    x = m.layer_norm("ln_f", stream, bias=False)  # [T, C]
    m.head("logits", x, m.weight("lm_head.weight", config.padded_vocabulary, c))  # [V]
    return m.description("parallel_relu")


_ABOUT = {
    "wte": "Token embedding.",
    "wpe": "Position embedding.",
    "embed.tokens": "The embedding row of each context token.",
    "embed.positions": "The embedding row of each context position.",
    "embed.sum": "Position plus token embedding.",
    "resid_pre": "The residual stream as it enters the block.",
    "ln_1.weight": "Scale of the layer norm.",
    "ln_1": "The residual stream, normalized for attention and MLP.",
    "attn.c_attn.weight": "Projects to queries, keys and values.",
    "attn.qkv": "Queries, keys and values of all heads.",
    "attn.pattern": "How much each query attends to each key.",
    "attn.out": "Values mixed by attention.",
    "attn.c_proj.weight": "Mixes the outputs of the heads.",
    "attn.c_proj": "What attention adds to the residual stream.",
    "mlp.c_fc.weight": "One row per hidden neuron.",
    "mlp.c_fc": "Hidden neurons before ReLU.",
    "mlp.relu": "Hidden neurons after ReLU.",
    "mlp.c_proj.weight": "Reads the hidden neurons back.",
    "mlp.c_proj": "What the MLP adds to the residual stream.",
    "resid_post": "The residual stream as it leaves the block.",
    "ln_f.weight": "Scale of the final layer norm.",
    "ln_f": "The residual stream, normalized for the head.",
    "lm_head.weight": "The matrix of the head: one row per token.",
    "logits": "A score for every token to be the next one.",
}

PARALLEL = Architecture(
    name="parallel_relu",
    title="parallel ReLU model",
    describe=parallel,
    model_types=("parallel_relu",),
    fields=ConfigFields(
        classes=("ParallelForCausalLM",),
        computed={"hidden_act": ("relu",)},
        multiples={"intermediate_size": _WIDTH},
    ),
    prefixes=("model.",),
)
register(PARALLEL)

SMALL = ModelConfig(
    layers=2, heads=3, channels=36, positions=40, vocabulary=97, padded_vocabulary=97, architecture="parallel_relu"
)


def random_weights(config: ModelConfig, dtype: str = "f32", seed: int = 0) -> dict[str, np.ndarray]:
    """Weights by name, scales of norms around 1, and all so large that every part of the model affects the logits."""
    generator = np.random.default_rng(seed)
    weights = {}
    for name, weight in describe(config).weights.items():
        values = generator.normal(float(len(weight.shape) == 1), 0.3, weight.shape)
        weights[name] = values.astype(DTYPES[dtype])
    return weights


def write_parallel(
    folder: Path,
    config: ModelConfig = SMALL,
    dtype: str = "f32",
    *,
    prefix: str = "model.",
    fields: Mapping[str, object] | None = None,
) -> Path:
    """Write a random model as `model.safetensors` and `config.json`, in which `fields` replace or add some."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {}
    for name, weight in random_weights(config, dtype).items():
        stored = name if name.endswith(".weight") else f"{name}.weight"
        named[stored if name == "lm_head.weight" else prefix + stored] = weight
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    values = {
        "model_type": "parallel_relu",
        "architectures": ["ParallelForCausalLM"],
        "hidden_act": "relu",
        "hidden_size": config.channels,
        "intermediate_size": _WIDTH * config.channels,
        "max_position_embeddings": config.positions,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "tie_word_embeddings": False,
        "vocab_size": config.vocabulary,
    }
    (folder / "config.json").write_text(json.dumps(values | dict(fields or {})))
    return folder
