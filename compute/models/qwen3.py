"""Qwen 3, dense: as Llama, with a norm of each query and each key."""

from __future__ import annotations

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


def qwen3(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads and K key-value heads of D channels, M hidden neurons, V rows of the padded
    vocabulary.
    """
    c, heads, kv_heads, size = config.channels, config.heads, config.kv_heads, config.head_size
    rope = config.rotary
    frequencies = rope.frequencies(size)
    m = Builder(config, ABOUT, blocks="layers")

    m.section("embedding")
    table = m.weight("embed_tokens.weight", config.padded_vocabulary, c)  # [V, C]
    stream = m.gather("embed.sum", table, by="token")  # [T, C]
    m.alias("embed.tokens", stream)  # [T, C]

    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("resid_pre", stream)  # [T, C]
        x = m.rms_norm("ln_1", pre, "input_layernorm")  # [T, C]
        q = m.linear("attn.q", x, "self_attn.q_proj", heads * size, bias=config.attention_bias)  # [T, H D]
        k = m.linear("attn.k", x, "self_attn.k_proj", kv_heads * size, bias=config.attention_bias)  # [T, K D]
        v = m.linear("attn.v", x, "self_attn.v_proj", kv_heads * size, bias=config.attention_bias)  # [T, K D]
        q = m.rms_norm("attn.q_norm", q, "self_attn.q_norm", size=size)  # [T, H D]
        k = m.rms_norm("attn.k_norm", k, "self_attn.k_norm", size=size)  # [T, K D]
        q = m.rope("attn.q_rot", heads_of(q, heads), frequencies)  # [T, H D]
        k = m.rope("attn.k_rot", heads_of(k, kv_heads), frequencies)  # [T, K D]
        x = m.attention_of(
            "attn.out", heads_of(q, heads), heads_of(k, kv_heads), heads_of(v, kv_heads), pattern="attn.pattern",
            window=config.window_of(block),
        )  # [T, H D], [H, T, T]  # fmt: skip
        x = m.linear("attn.c_proj", x, "self_attn.o_proj", c, bias=config.attention_bias)  # [T, C]
        mid = m.add("resid_mid", pre, x)  # [T, C]
        x = m.rms_norm("ln_2", mid, "post_attention_layernorm")  # [T, C]
        gate = m.linear("mlp.gate", x, "mlp.gate_proj", config.neurons, bias=False)  # [T, M]
        up = m.linear("mlp.up", x, "mlp.up_proj", config.neurons, bias=False)  # [T, M]
        x = m.gated("mlp.gated", gate, up, config.function)  # [T, M]
        x = m.linear("mlp.c_proj", x, "mlp.down_proj", c, bias=False)  # [T, C]
        stream = m.add("resid_post", mid, x)  # [T, C]

    m.section("head")
    x = m.rms_norm("ln_f", stream, "norm")  # [T, C]
    m.head("logits", x, table if config.tied else m.weight("lm_head.weight", config.padded_vocabulary, c))  # [V]
    return m.description(config.architecture)


def _read(read: ConfigReader) -> dict[str, object]:
    return {
        **read_sizes(read, head_size=128),
        "rope": read_rope(read),
        "function": read.one_of("hidden_act", FUNCTIONS, "silu"),
        "tied": read.flag("tie_word_embeddings", default=False),
        "attention_bias": read.flag("attention_bias", default=False),
        **(read_windows(read) if read.flag("use_sliding_window", default=False) else {}),
    }


def _written(config: ModelConfig) -> dict[str, object]:
    return {
        **written_sizes(config),
        "hidden_act": FUNCTION_NAMES[config.function],
        "attention_bias": config.attention_bias,
        "use_sliding_window": config.window > 0,
        **written_windows(config),
    }


QWEN3 = Architecture(
    name="qwen3",
    title="Qwen3",
    describe=qwen3,
    model_types=("qwen3",),
    fields=ConfigFields(
        classes=("Qwen3ForCausalLM", "Qwen3Model"),
        switches={"quantization_config": None},
        read=_read,
        written=_written,
    ),
    prefixes=("model.",),
    writes_prefix=True,
    masks=(".rotary_emb.inv_freq",),
    gguf=GgufFields(
        architectures=("qwen3",),
        fields=LLAMA_GGUF_FIELDS,
        constants={"function": "silu"},
        tensors=LLAMA_GGUF_TENSORS,
    ),
    shapes={
        "qwen3-0.6b": ModelConfig(
            28,
            16,
            1024,
            40960,
            151936,
            151936,
            "qwen3",
            own_head_size=128,
            own_kv_heads=8,
            own_neurons=3072,
            epsilon=1e-6,
            rope=RopeConfig(1e6),
            function="silu",
        )
    },
)
