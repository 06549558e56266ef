"""GPT-NeoX (Pythia): attention and MLP read the same stream, and a quarter of each head is rotated by position."""

from __future__ import annotations

from .architecture import Architecture, ConfigFields, ConfigReader, GgufFields
from .builder import Builder, heads_of
from .config import ModelConfig, RopeConfig
from .description import Description
from .operations import Heads
from .rotary import FUNCTION_NAMES, FUNCTIONS, scaled


def gpt_neox(config: ModelConfig) -> Description:
    """The model of `config`.

    T tokens of context, C channels, H heads of D channels, M hidden neurons, V rows of the padded vocabulary.
    """
    c, heads, size, rope = config.channels, config.heads, config.head_size, config.rotary
    m = Builder(config, ABOUT, blocks="layers")

    m.section("embedding")
    table = m.weight("embed_in.weight", config.padded_vocabulary, c)  # [V, C]
    stream = m.gather("embed.sum", table, by="token")  # [T, C]
    m.alias("embed.tokens", stream)  # [T, C]

    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("resid_pre", stream)  # [T, C]
        x = m.norm("ln_1", pre, "input_layernorm")  # [T, C]
        qkv = m.linear("attn.qkv", x, "attention.query_key_value", 3 * c, bias=config.attention_bias)  # [T, H 3 D]
        q, k, v = (Heads(qkv.output, heads, size, third * size, 3 * size) for third in range(3))
        rotated_q = m.rope("attn.q_rot", q, rope.frequencies(size))  # [T, C]
        rotated_k = m.rope("attn.k_rot", k, rope.frequencies(size))  # [T, C]
        x = m.attention_of(
            "attn.out", heads_of(rotated_q, heads), heads_of(rotated_k, heads), v, pattern="attn.pattern"
        )  # [T, C], [H, T, T]
        attention = m.linear("attn.c_proj", x, "attention.dense", c, bias=config.attention_bias)  # [T, C]
        mid = pre if config.parallel else m.add("resid_mid", pre, attention)  # [T, C]
        x = m.norm("ln_2", mid, "post_attention_layernorm")  # [T, C]
        x = m.linear("mlp.c_fc", x, "mlp.dense_h_to_4h", config.neurons)  # [T, M]
        x = m.activation("mlp.gelu", x, config.function)  # [T, M]
        mlp = m.linear("mlp.c_proj", x, "mlp.dense_4h_to_h", c)  # [T, C]
        added = (attention, mlp) if config.parallel else (mlp,)
        stream = m.add("resid_post", mid, *added)  # [T, C]

    m.section("head")
    x = m.norm("ln_f", stream, "final_layer_norm")  # [T, C]
    m.head("logits", x, table if config.tied else m.weight("embed_out.weight", config.padded_vocabulary, c))  # [V]
    return m.description(config.architecture)


ABOUT = {
    "embed_in.weight": "Token embedding: one row per vocabulary token.",
    "embed.tokens": "The embedding row of each context token: the input of the first block.",
    "embed.sum": "The input of the first block; positions enter in attention.",
    "resid_pre": "The residual stream as it enters the block.",
    "input_layernorm.weight": "Scale of the layer norm before attention.",
    "input_layernorm.bias": "Shift of the layer norm before attention.",
    "ln_1": "The residual stream, normalized for attention.",
    "attention.query_key_value.weight": "Projects to queries, keys and values, head by head.",
    "attention.query_key_value.bias": "Bias of the queries, keys and values.",
    "attn.qkv": "Query, key and value of each head, head by head.",
    "attn.q_rot": "Queries, partly rotated by their position.",
    "attn.k_rot": "Keys, partly rotated by their position.",
    "attn.pattern": "How much each query attends to each key, one matrix per head; rows sum to 1.",
    "attn.out": "Values mixed by attention, heads side by side.",
    "attention.dense.weight": "Mixes the heads' outputs back into the residual stream.",
    "attention.dense.bias": "Bias of the attention output.",
    "attn.c_proj": "What attention adds to the residual stream.",
    "resid_mid": "The residual stream after attention.",
    "post_attention_layernorm.weight": "Scale of the layer norm before the MLP.",
    "post_attention_layernorm.bias": "Shift of the layer norm before the MLP.",
    "ln_2": "The residual stream, normalized for the MLP.",
    "mlp.dense_h_to_4h.weight": "Widens the residual stream: one row per hidden neuron.",
    "mlp.dense_h_to_4h.bias": "Bias of the hidden neurons.",
    "mlp.c_fc": "Hidden neurons before GELU.",
    "mlp.gelu": "Hidden neurons after GELU.",
    "mlp.dense_4h_to_h.weight": "Reads the hidden neurons back into the residual stream.",
    "mlp.dense_4h_to_h.bias": "Bias of the MLP output.",
    "mlp.c_proj": "What the MLP adds to the residual stream.",
    "resid_post": "The residual stream as it leaves the block.",
    "final_layer_norm.weight": "Scale of the final layer norm.",
    "final_layer_norm.bias": "Shift of the final layer norm.",
    "ln_f": "The residual stream, normalized for the head.",
    "embed_out.weight": "The head: one row per vocabulary token.",
    "logits": "A score for every vocabulary token to be the next one.",
}


def _read(read: ConfigReader) -> dict[str, object]:
    size = max(1, read.size("hidden_size", None) // read.size("num_attention_heads", None))
    given = read.part("rope_parameters") or read
    share = given.number("partial_rotary_factor", read.number("rotary_pct", 0.25))
    theta = given.number("rope_theta", read.number("rope_theta", read.number("rotary_emb_base", 10000.0)))
    channels = int(size * share)
    rope = RopeConfig(theta=theta, channels=0 if channels == size else channels)
    return {
        "own_neurons": read.size("intermediate_size", None),
        "epsilon": read.number("layer_norm_eps", 1e-5),
        "rope": scaled(rope, read.part("rope_scaling") or read.part("rope_parameters")),
        "function": read.one_of("hidden_act", FUNCTIONS, "gelu"),
        "tied": read.flag("tie_word_embeddings", default=False),
        "attention_bias": read.flag("attention_bias", default=True),
        "parallel": read.flag("use_parallel_residual", default=True),
    }


def _written(config: ModelConfig) -> dict[str, object]:
    rope = config.rope or RopeConfig()
    return {
        "intermediate_size": config.neurons,
        "layer_norm_eps": config.epsilon,
        "rotary_pct": (rope.channels or config.head_size) / config.head_size,
        "rotary_emb_base": rope.theta,
        "hidden_act": FUNCTION_NAMES[config.function],
        "attention_bias": config.attention_bias,
        "use_parallel_residual": config.parallel,
    }


def _pythia(layers: int, heads: int, channels: int, rows: int) -> ModelConfig:
    return ModelConfig(
        layers,
        heads,
        channels,
        2048,
        rows,
        rows,
        "gpt_neox",
        own_neurons=4 * channels,
        rope=RopeConfig(channels=channels // heads // 4),
        function="gelu_exact",
        tied=False,
        attention_bias=True,
        parallel=True,
    )


GPT_NEOX = Architecture(
    name="gpt_neox",
    title="GPT-NeoX",
    describe=gpt_neox,
    model_types=("gpt_neox",),
    fields=ConfigFields(
        classes=("GPTNeoXForCausalLM", "GPTNeoXModel"),
        switches={"quantization_config": None},
        read=_read,
        written=_written,
    ),
    prefixes=("gpt_neox.",),
    writes_prefix=True,
    # Attention masks and frequencies, which old versions of the format also saved.
    masks=(".attention.bias", ".attention.masked_bias", ".attention.rotary_emb.inv_freq"),
    head="embed_out.weight",
    gguf=GgufFields(
        architectures=("gptneox",),
        fields={
            "layers": "block_count",
            "heads": "attention.head_count",
            "channels": "embedding_length",
            "positions": "context_length",
            "own_neurons": "feed_forward_length",
            "epsilon": "attention.layer_norm_epsilon",
            "parallel": "use_parallel_residual",
            "rope.theta": "rope.freq_base",
            "rope.channels": "rope.dimension_count",
        },
        constants={"function": "gelu_exact", "attention_bias": True, "parallel": True},
        tensors={
            "embed_in.weight": "token_embd.weight",
            "input_layernorm.weight": "attn_norm.weight",
            "input_layernorm.bias": "attn_norm.bias",
            "attention.query_key_value.weight": "attn_qkv.weight",
            "attention.query_key_value.bias": "attn_qkv.bias",
            "attention.dense.weight": "attn_output.weight",
            "attention.dense.bias": "attn_output.bias",
            "post_attention_layernorm.weight": "ffn_norm.weight",
            "post_attention_layernorm.bias": "ffn_norm.bias",
            "mlp.dense_h_to_4h.weight": "ffn_up.weight",
            "mlp.dense_h_to_4h.bias": "ffn_up.bias",
            "mlp.dense_4h_to_h.weight": "ffn_down.weight",
            "mlp.dense_4h_to_h.bias": "ffn_down.bias",
            "final_layer_norm.weight": "output_norm.weight",
            "final_layer_norm.bias": "output_norm.bias",
            "embed_out.weight": "output.weight",
        },
        thirds=("attention.query_key_value",),
    ),
    shapes={"pythia-70m": _pythia(6, 8, 512, 50304), "pythia-160m": _pythia(12, 12, 768, 50304)},
)
