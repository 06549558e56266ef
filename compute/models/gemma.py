"""What Gemma 2 and Gemma 3 share: sentences on their tensors, and what files say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .architecture import ConfigReader
from .config import ModelConfig
from .rotary import (
    ABOUT,
    FUNCTION_NAMES,
    FUNCTIONS,
    LLAMA_GGUF_TENSORS,
    read_sizes,
    written_sizes,
    written_windows,
)  # fmt: skip

GEMMA_ABOUT = {
    **ABOUT,
    "embed.unscaled": "The embedding row of each context token, before it is scaled.",
    "embed.tokens": "The embedding row of each context token, times the root of the number of channels.",
    "ln_1_post": "What attention adds to the residual stream: its output, normalized.",
    "attn.c_proj": "The output of attention, before its norm.",
    "post_attention_layernorm.weight": "Scale, minus 1, of the norm after attention.",
    "pre_feedforward_layernorm.weight": "Scale, minus 1, of the norm before the MLP.",
    "mlp.c_proj": "The output of the MLP, before its norm.",
    "post_feedforward_layernorm.weight": "Scale, minus 1, of the norm after the MLP.",
    "ln_2_post": "What the MLP adds to the residual stream: its output, normalized.",
    "input_layernorm.weight": "Scale, minus 1, of the norm before attention.",
    "norm.weight": "Scale, minus 1, of the final norm.",
    "self_attn.q_norm.weight": "Scale, minus 1, of the norm of each query, the same for all heads.",
    "self_attn.k_norm.weight": "Scale, minus 1, of the norm of each key, the same for all heads.",
}

GEMMA_GGUF_TENSORS = {
    **LLAMA_GGUF_TENSORS,
    "post_attention_layernorm.weight": "post_attention_norm.weight",
    "pre_feedforward_layernorm.weight": "ffn_norm.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
}

NORMS = (
    "input_layernorm.weight", "post_attention_layernorm.weight", "pre_feedforward_layernorm.weight",
    "post_feedforward_layernorm.weight", "norm.weight",
)  # fmt: skip
"""Weights that GGUF files store plus 1."""


def read_gemma(read: ConfigReader) -> dict[str, object]:
    """The fields of `config.json` that both have."""
    scalar = read.number("query_pre_attn_scalar", 256.0)
    return {
        **read_sizes(read, head_size=256),
        "function": read.one_of("hidden_activation", FUNCTIONS, "gelu_pytorch_tanh"),
        "tied": read.flag("tie_word_embeddings", default=True),
        "attention_bias": read.flag("attention_bias", default=False),
        "attention_scale": 0.0 if scalar == read.size("head_dim", 256) else scalar**-0.5,
    }


def written_gemma(config: ModelConfig) -> dict[str, object]:
    """The fields of `config.json` that `read_gemma` and `read_windows` read."""
    return {
        **written_sizes(config),
        "hidden_activation": FUNCTION_NAMES[config.function],
        "attention_bias": config.attention_bias,
        "query_pre_attn_scalar": config.attention_scale**-2 if config.attention_scale else config.head_size,
        **written_windows(config),
    }


def largest(layers: int) -> Callable[[ModelConfig], ModelConfig]:
    """What GGUF files do not say: the model of 27B, with so many layers, scales scores by channels / heads."""

    def adjusted(config: ModelConfig) -> ModelConfig:
        if config.layers != layers:
            return config
        return replace(config, attention_scale=(config.channels / config.heads) ** -0.5)

    return adjusted
