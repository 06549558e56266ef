"""Gemma 2: norms before and after attention and MLP, soft caps, GeGLU, windows in every other block."""

from __future__ import annotations

from .architecture import Architecture, ConfigFields, ConfigReader, GgufFields
from .builder import Builder, heads_of
from .config import ModelConfig, RopeConfig
from .description import Description
from .gemma import GEMMA_ABOUT, GEMMA_GGUF_TENSORS, NORMS, largest, read_gemma, written_gemma
from .rotary import LLAMA_GGUF_FIELDS, read_rope, read_windows


def gemma2(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads and K key-value heads of D channels, M hidden neurons, V rows of the padded
    vocabulary.
    """
    c, heads, kv_heads, size = config.channels, config.heads, config.kv_heads, config.head_size
    rope = config.rotary
    frequencies = rope.frequencies(size)
    m = Builder(config, GEMMA_ABOUT, blocks="layers")

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
    return {
        **read_gemma(read),
        "rope": read_rope(read),
        # A null cap is none; Gemma's own files always say.
        "attention_cap": read.number("attn_logit_softcapping", 0.0),
        "logit_cap": read.number("final_logit_softcapping", 0.0),
        **read_windows(read, pattern=(True, False)),
    }


def _written(config: ModelConfig) -> dict[str, object]:
    return {
        **written_gemma(config),
        "attn_logit_softcapping": config.attention_cap or None,
        "final_logit_softcapping": config.logit_cap or None,
    }


GEMMA2 = Architecture(
    name="gemma2",
    title="Gemma 2",
    describe=gemma2,
    model_types=("gemma2",),
    fields=ConfigFields(
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
        tensors=GEMMA_GGUF_TENSORS,
        offset=NORMS,
        adjusted=largest(layers=46),
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
