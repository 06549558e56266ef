"""Gemma 3 (text): as Gemma 2, with norms of queries and keys, and another base of rotation in blocks with a window."""

from __future__ import annotations

from .architecture import Architecture, ConfigFields, ConfigReader, GgufFields
from .builder import Builder, heads_of
from .config import ModelConfig, RopeConfig
from .description import Description
from .gemma import GEMMA_ABOUT, GEMMA_GGUF_TENSORS, NORMS, largest, read_gemma, written_gemma
from .rotary import LLAMA_GGUF_FIELDS, read_windows, scaled


def gemma3(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads and K key-value heads of D channels, M hidden neurons, V rows of the padded
    vocabulary.
    """
    c, heads, kv_heads, size = config.channels, config.heads, config.kv_heads, config.head_size
    rope = config.rotary
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
        q = m.rms_norm("attn.q_norm", q, "self_attn.q_norm", size=size, offset=1)  # [T, H D]
        k = m.rms_norm("attn.k_norm", k, "self_attn.k_norm", size=size, offset=1)  # [T, K D]
        frequencies = rope.frequencies(size, local=config.window_of(block) > 0)
        q = m.rope("attn.q_rot", heads_of(q, heads), frequencies)  # [T, H D]
        k = m.rope("attn.k_rot", heads_of(k, kv_heads), frequencies)  # [T, K D]
        x = m.attention_of(
            "attn.out", heads_of(q, heads), heads_of(k, kv_heads), heads_of(v, kv_heads), pattern="attn.pattern",
            scale=config.attention_scale, window=config.window_of(block),
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
        "rope": _read_rope(read),
        **read_windows(read, pattern=(True,) * (read.size("sliding_window_pattern", 6) - 1) + (False,)),
    }


def _read_rope(read: ConfigReader) -> RopeConfig:
    given = read.part("rope_parameters")
    far, near = (given.part("full_attention"), given.part("sliding_attention")) if given else (None, None)
    base = far.number("rope_theta", 1e6) if far else read.number("rope_theta", 1e6)
    local = near.number("rope_theta", 1e4) if near else read.number("rope_local_base_freq", 1e4)
    return scaled(RopeConfig(theta=base, local_theta=local), far or read.part("rope_scaling"))


def _written(config: ModelConfig) -> dict[str, object]:
    rope = config.rope
    local = {"rope_local_base_freq": rope.local_theta} if rope and rope.local_theta else {}
    return {**written_gemma(config), **local}


GEMMA3 = Architecture(
    name="gemma3",
    title="Gemma 3",
    describe=gemma3,
    model_types=("gemma3_text",),
    fields=ConfigFields(
        classes=("Gemma3ForCausalLM", "Gemma3TextModel"),
        switches={
            "quantization_config": None,
            "use_bidirectional_attention": False,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
        read=_read,
        written=_written,
    ),
    prefixes=("model.",),
    writes_prefix=True,
    masks=(".rotary_emb.inv_freq",),
    gguf=GgufFields(
        architectures=("gemma3",),
        fields={
            **LLAMA_GGUF_FIELDS,
            "rope.local_theta": "rope.freq_base_swa",
        },
        constants={
            "function": "gelu",
            "window_blocks": (True,) * 5 + (False,),
            "rope.theta": 1e6,
            "rope.local_theta": 1e4,
        },
        tensors=GEMMA_GGUF_TENSORS,
        offset=(*NORMS, "self_attn.q_norm.weight", "self_attn.k_norm.weight"),
        adjusted=largest(layers=62),
    ),
    shapes={
        "gemma-3-270m": ModelConfig(
            18,
            4,
            640,
            32768,
            262144,
            262144,
            "gemma3",
            own_head_size=256,
            own_kv_heads=1,
            own_neurons=2048,
            epsilon=1e-6,
            rope=RopeConfig(1e6, local_theta=1e4),
            window=512,
            window_blocks=(True,) * 5 + (False,),
        )
    },
)
