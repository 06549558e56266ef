"""Llama and models built like it (SmolLM2, TinyLlama, Mistral): RMS norms, rotary positions, grouped heads, SwiGLU."""

from __future__ import annotations

from .architecture import Architecture, ConfigFields, ConfigReader, GgufFields
from .builder import Builder, heads_of
from .config import Llama3Scaling, ModelConfig, RopeConfig
from .description import Description
from .rotary import (
    ABOUT,
    FUNCTION_NAMES,
    FUNCTIONS,
    LLAMA_GGUF_FIELDS,
    LLAMA_GGUF_TENSORS,
    read_rope,
    read_sizes,
    written_sizes,
)


def llama(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads and K key-value heads of D channels, M hidden neurons, V rows of the padded
    vocabulary.
    """
    c, heads, kv_heads, size = config.channels, config.heads, config.kv_heads, config.head_size
    rope = config.rotary
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
        q = m.rope("attn.q_rot", heads_of(q, heads), rope.frequencies(size))  # [T, H D]
        k = m.rope("attn.k_rot", heads_of(k, kv_heads), rope.frequencies(size))  # [T, K D]
        x = m.attention_of(
            "attn.out", heads_of(q, heads), heads_of(k, kv_heads), heads_of(v, kv_heads), pattern="attn.pattern",
            window=config.window_of(block),
        )  # [T, H D], [H, T, T]  # fmt: skip
        x = m.linear("attn.c_proj", x, "self_attn.o_proj", c, bias=config.attention_bias)  # [T, C]
        mid = m.add("resid_mid", pre, x)  # [T, C]
        x = m.rms_norm("ln_2", mid, "post_attention_layernorm")  # [T, C]
        gate = m.linear("mlp.gate", x, "mlp.gate_proj", config.neurons, bias=config.mlp_bias)  # [T, M]
        up = m.linear("mlp.up", x, "mlp.up_proj", config.neurons, bias=config.mlp_bias)  # [T, M]
        x = m.gated("mlp.gated", gate, up, config.function)  # [T, M]
        x = m.linear("mlp.c_proj", x, "mlp.down_proj", c, bias=config.mlp_bias)  # [T, C]
        stream = m.add("resid_post", mid, x)  # [T, C]

    m.section("head")
    x = m.rms_norm("ln_f", stream, "norm")  # [T, C]
    m.head("logits", x, table if config.tied else m.weight("lm_head.weight", config.padded_vocabulary, c))  # [V]
    return m.description(config.architecture)


def _read(read: ConfigReader) -> dict[str, object]:
    return {
        **read_sizes(read),
        "rope": read_rope(read),
        "function": read.one_of("hidden_act", FUNCTIONS, "silu"),
        "tied": read.flag("tie_word_embeddings", default=False),
        "attention_bias": read.flag("attention_bias", default=False),
        "mlp_bias": read.flag("mlp_bias", default=False),
        # Of Mistral; Llama's files have no such field.
        "window": read.size("sliding_window", 0),
    }


def _written(config: ModelConfig) -> dict[str, object]:
    mistral = {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": config.window}
    return {
        **written_sizes(config),
        "hidden_act": FUNCTION_NAMES[config.function],
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        **(mistral if config.window else {}),
    }


LLAMA = Architecture(
    name="llama",
    title="Llama",
    describe=llama,
    model_types=("llama", "mistral"),
    fields=ConfigFields(
        classes=("LlamaForCausalLM", "LlamaModel", "MistralForCausalLM", "MistralModel"),
        switches={"quantization_config": None},
        read=_read,
        written=_written,
    ),
    prefixes=("model.",),
    writes_prefix=True,
    masks=(".rotary_emb.inv_freq",),
    gguf=GgufFields(
        architectures=("llama",),
        fields=LLAMA_GGUF_FIELDS,
        constants={"function": "silu"},
        tensors=LLAMA_GGUF_TENSORS,
        permuted=("self_attn.q_proj", "self_attn.k_proj"),
    ),
    shapes={
        "smollm2-135m": ModelConfig(
            30,
            9,
            576,
            8192,
            49152,
            49152,
            "llama",
            own_kv_heads=3,
            own_neurons=1536,
            rope=RopeConfig(100000.0),
            function="silu",
        ),
        "llama-3.2-1b": ModelConfig(
            16,
            32,
            2048,
            131072,
            128256,
            128256,
            "llama",
            own_kv_heads=8,
            own_neurons=8192,
            function="silu",
            rope=RopeConfig(500000.0, llama3=Llama3Scaling(32.0, 1.0, 4.0, 8192)),
        ),
    },
)
