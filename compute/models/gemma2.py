"""Gemma 2: norms before and after attention and MLP, soft caps, GeGLU, windows in every other block."""

from __future__ import annotations

from dataclasses import replace

from .architecture import Architecture, ConfigFields, ConfigReader, GgufFields
from .builder import Builder, heads_of
from .config import ModelConfig, RopeConfig
from .description import Description
from .rotary import (
    ABOUT,
    FUNCTION_NAMES,
    FUNCTIONS,
    LLAMA_GGUF_FIELDS,
    LLAMA_GGUF_TENSORS,
    read_rope,
    read_sizes,
    read_windows,
    written_sizes,
    written_windows,
)

_ABOUT = {
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
}


def gemma2(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads and K key-value heads of D channels, M hidden neurons, V rows of the padded
    vocabulary.
    """
    c, heads, kv_heads, size = config.channels, config.heads, config.kv_heads, config.head_size
    rope = config.rotary
    frequencies = rope.frequencies(size)
    m = Builder(config, _ABOUT, blocks="layers")

    m.section("embedding")
    table = m.weight("embed_tokens.weight", config.padded_vocabulary, c)  # [V, C]
    stream = m.scale("embed.sum", m.gather("embed.unscaled", table, by="token"), c**0.5)  # [T, C]
    m.alias("embed.tokens", stream)  # [T, C]

    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("resid_pre", stream)  # [T, C]
        x = m.rms_norm("ln_1", pre, "input_layernorm", offset=1)  # [T, C]
        q = m.linear("attn.q", x, "self_attn.q_proj", heads * size, bias=config.attention_bias)  # [T, H D]
        k = m.linear("attn.k", x, "self_attn.k_proj", kv_heads * size, bias=config.attention_bias)  # [T, K D]
        v = m.linear("attn.v", x, "self_attn.v_proj", kv_heads * size, bias=config.attention_bias)  # [T, K D]
        q = m.rope("attn.q_rot", heads_of(q, heads), frequencies)  # [T, H D]
        k = m.rope("attn.k_rot", heads_of(k, kv_heads), frequencies)  # [T, K D]
        x = m.attention_of(
            "attn.out", heads_of(q, heads), heads_of(k, kv_heads), heads_of(v, kv_heads), pattern="attn.pattern",
            scale=config.attention_scale, cap=config.attention_cap, window=config.window_of(block),
        )  # [T, H D], [H, T, T]  # fmt: skip
        x = m.linear("attn.c_proj", x, "self_attn.o_proj", c, bias=config.attention_bias)  # [T, C]
        x = m.rms_norm("ln_1_post", x, "post_attention_layernorm", offset=1)  # [T, C]
        mid = m.add("resid_mid", pre, x)  # [T, C]
        x = m.rms_norm("ln_2", mid, "pre_feedforward_layernorm", offset=1)  # [T, C]
        gate = m.linear("mlp.gate", x, "mlp.gate_proj", config.neurons, bias=False)  # [T, M]
        up = m.linear("mlp.up", x, "mlp.up_proj", config.neurons, bias=False)  # [T, M]
        x = m.gated("mlp.gated", gate, up, config.function)  # [T, M]
        x = m.linear("mlp.c_proj", x, "mlp.down_proj", c, bias=False)  # [T, C]
        x = m.rms_norm("ln_2_post", x, "post_feedforward_layernorm", offset=1)  # [T, C]
        stream = m.add("resid_post", mid, x)  # [T, C]

    m.section("head")
    x = m.rms_norm("ln_f", stream, "norm", offset=1)  # [T, C]
    m.head("logits", x, table if config.tied else m.weight("lm_head.weight", config.padded_vocabulary, c))  # [V]
    return m.description(config.architecture)


def _read(read: ConfigReader) -> dict[str, object]:
    scalar = read.number("query_pre_attn_scalar", 256.0)
    return {
        **read_sizes(read, head_size=256),
        "rope": read_rope(read),
        "function": read.one_of("hidden_activation", FUNCTIONS, "gelu_pytorch_tanh"),
        "tied": read.flag("tie_word_embeddings", default=True),
        "attention_bias": read.flag("attention_bias", default=False),
        "attention_scale": 0.0 if scalar == read.size("head_dim", 256) else scalar**-0.5,
        # A null cap is none; Gemma's own files always say.
        "attention_cap": read.number("attn_logit_softcapping", 0.0),
        "logit_cap": read.number("final_logit_softcapping", 0.0),
        **read_windows(read, pattern=(True, False)),
    }


def _written(config: ModelConfig) -> dict[str, object]:
    return {
        **written_sizes(config),
        "hidden_activation": FUNCTION_NAMES[config.function],
        "attention_bias": config.attention_bias,
        "query_pre_attn_scalar": config.attention_scale**-2 if config.attention_scale else config.head_size,
        "attn_logit_softcapping": config.attention_cap or None,
        "final_logit_softcapping": config.logit_cap or None,
        **written_windows(config),
    }


_NORMS = (
    "input_layernorm.weight", "post_attention_layernorm.weight", "pre_feedforward_layernorm.weight",
    "post_feedforward_layernorm.weight", "norm.weight",
)  # fmt: skip
_27B_LAYERS = 46


def _of_27b(config: ModelConfig) -> ModelConfig:
    """GGUF files do not say that the largest model scales scores by other than the size of its heads."""
    if config.layers != _27B_LAYERS:
        return config
    return replace(config, attention_scale=(config.channels / config.heads) ** -0.5)


GEMMA2 = Architecture(
    name="gemma2",
    title="Gemma 2",
    describe=gemma2,
    model_types=("gemma2",),
    fields=ConfigFields(
        layers="num_hidden_layers",
        heads="num_attention_heads",
        channels="hidden_size",
        positions="max_position_embeddings",
        vocabulary="vocab_size",
        classes=("Gemma2ForCausalLM", "Gemma2Model"),
        switches={"quantization_config": None},
        read=_read,
        written=_written,
    ),
    prefixes=("model.",),
    writes_prefix=True,
    masks=(".rotary_emb.inv_freq",),
    gguf=GgufFields(
        architectures=("gemma2",),
        fields={
            **LLAMA_GGUF_FIELDS,
            "attention_cap": "attn_logit_softcapping",
            "logit_cap": "final_logit_softcapping",
        },
        constants={
            "function": "gelu",
            "window_blocks": (True, False),
        },
        tensors={
            **LLAMA_GGUF_TENSORS,
            "post_attention_layernorm.weight": "post_attention_norm.weight",
            "pre_feedforward_layernorm.weight": "ffn_norm.weight",
            "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
        },
        offset=_NORMS,
        adjusted=_of_27b,
    ),
    shapes={
        "gemma-2-2b": ModelConfig(
            26,
            8,
            2304,
            8192,
            256000,
            256000,
            "gemma2",
            own_head_size=256,
            own_kv_heads=4,
            own_neurons=9216,
            epsilon=1e-6,
            rope=RopeConfig(),
            window=4096,
            window_blocks=(True, False),
            attention_cap=50.0,
            logit_cap=30.0,
        )
    },
)
