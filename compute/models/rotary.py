"""Shared by architectures with rotary positions: sentences on their tensors, and reading of `config.json`."""

from __future__ import annotations

from collections.abc import Mapping

from .architecture import ConfigReader
from .config import Llama3Scaling, ModelConfig, RopeConfig
from .operations import Function

ABOUT = {
    "embed_tokens.weight": "Token embedding: one row per vocabulary token.",
    "embed.tokens": "The embedding row of each context token: the input of the first block.",
    "embed.sum": "The input of the first block; positions enter in attention.",
    "resid_pre": "The residual stream as it enters the block.",
    "input_layernorm.weight": "Scale of the norm before attention.",
    "ln_1": "The residual stream, normalized for attention.",
    "self_attn.q_proj.weight": "Projects to the queries of all heads.",
    "self_attn.q_proj.bias": "Bias of the queries.",
    "self_attn.k_proj.weight": "Projects to the keys of all key-value heads.",
    "self_attn.k_proj.bias": "Bias of the keys.",
    "self_attn.v_proj.weight": "Projects to the values of all key-value heads.",
    "self_attn.v_proj.bias": "Bias of the values.",
    "attn.q": "Queries of all heads, side by side.",
    "attn.k": "Keys of all key-value heads, side by side.",
    "attn.v": "Values of all key-value heads, side by side.",
    "self_attn.q_norm.weight": "Scale of the norm of each query, the same for all heads.",
    "self_attn.k_norm.weight": "Scale of the norm of each key, the same for all heads.",
    "attn.q_norm": "Queries, normalized head by head.",
    "attn.k_norm": "Keys, normalized head by head.",
    "attn.q_rot": "Queries, rotated by their position.",
    "attn.k_rot": "Keys, rotated by their position.",
    "attn.pattern": "How much each query attends to each key, one matrix per query head; rows sum to 1.",
    "attn.out": "Values mixed by attention, query heads side by side.",
    "self_attn.o_proj.weight": "Mixes the heads' outputs back into the residual stream.",
    "self_attn.o_proj.bias": "Bias of the attention output.",
    "attn.c_proj": "What attention adds to the residual stream.",
    "resid_mid": "The residual stream after attention.",
    "post_attention_layernorm.weight": "Scale of the norm before the MLP.",
    "ln_2": "The residual stream, normalized for the MLP.",
    "mlp.gate_proj.weight": "Decides how much of each hidden neuron passes: one row per neuron.",
    "mlp.gate_proj.bias": "Bias of the gates.",
    "mlp.up_proj.weight": "Projects to the hidden neurons: one row per neuron.",
    "mlp.up_proj.bias": "Bias of the hidden neurons.",
    "mlp.gate": "Gates of the hidden neurons, before their activation function.",
    "mlp.up": "Hidden neurons before their gates.",
    "mlp.gated": "Hidden neurons times the activation function of their gates.",
    "mlp.down_proj.weight": "Reads the hidden neurons back into the residual stream.",
    "mlp.down_proj.bias": "Bias of the MLP output.",
    "mlp.c_proj": "What the MLP adds to the residual stream.",
    "resid_post": "The residual stream as it leaves the block.",
    "norm.weight": "Scale of the final norm.",
    "ln_f": "The residual stream, normalized for the head.",
    "lm_head.weight": "The head: one row per vocabulary token.",
    "logits": "A score for every vocabulary token to be the next one.",
}
"""Sentences on the tensors of models in the style of Llama."""

FUNCTIONS: Mapping[object, Function] = {
    "silu": "silu",
    "swish": "silu",
    "gelu_pytorch_tanh": "gelu",
    "gelu": "gelu_exact",
}
"""Activation functions by their names in `config.json`, the name to write first."""
FUNCTION_NAMES: Mapping[str, str] = {"silu": "silu", "gelu": "gelu_pytorch_tanh", "gelu_exact": "gelu", "relu": "relu"}
"""Their names in `config.json`."""

LLAMA_GGUF_FIELDS = {
    "layers": "block_count",
    "heads": "attention.head_count",
    "channels": "embedding_length",
    "positions": "context_length",
    "own_kv_heads": "attention.head_count_kv",
    "own_head_size": "attention.key_length",
    "own_neurons": "feed_forward_length",
    "epsilon": "attention.layer_norm_rms_epsilon",
    "rope.theta": "rope.freq_base",
    "rope.channels": "rope.dimension_count",
    "rope.linear": "rope.scaling.factor",
    "window": "attention.sliding_window",
}
"""Metadata keys of GGUF files without the architecture, by field of `ModelConfig`, for models in the style of Llama."""

LLAMA_GGUF_TENSORS = {
    "embed_tokens.weight": "token_embd.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.o_proj.bias": "attn_output.bias",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.gate_proj.bias": "ffn_gate.bias",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.up_proj.bias": "ffn_up.bias",
    "mlp.down_proj.weight": "ffn_down.weight",
    "mlp.down_proj.bias": "ffn_down.bias",
    "norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
"""Names in GGUF files, those of a block without `blk.N.`, by our names without the block."""


def read_rope(read: ConfigReader) -> RopeConfig:
    """The rotary positions of a model that rotates all channels, with one base."""
    given = read.part("rope_parameters") or read
    scaling = read.part("rope_scaling") or read.part("rope_parameters")
    return scaled(RopeConfig(theta=given.number("rope_theta", read.number("rope_theta", 10000.0))), scaling)


def scaled(rope: RopeConfig, scaling: ConfigReader | None) -> RopeConfig:
    """`rope` as the scaling in the config says. Older files call `rope_type` just `type`."""
    if scaling is None:
        return rope
    name = "rope_type" if scaling.has("rope_type") else "type"
    kind = scaling.one_of(name, {"default": "default", "linear": "linear", "llama3": "llama3"}, "default")
    if kind == "linear":
        return RopeConfig(rope.theta, rope.channels, rope.local_theta, linear=scaling.number("factor", None))
    if kind == "llama3":
        llama3 = Llama3Scaling(
            factor=scaling.number("factor", None),
            low=scaling.number("low_freq_factor", None),
            high=scaling.number("high_freq_factor", None),
            positions=scaling.size("original_max_position_embeddings", None),
        )
        return RopeConfig(rope.theta, rope.channels, rope.local_theta, llama3=llama3)
    return rope


def read_windows(read: ConfigReader, *, pattern: tuple[bool, ...] = ()) -> dict[str, object]:
    """The window and the blocks that have one. pattern: by default, as `ModelConfig.window_blocks`.

    Without a pattern, blocks have one from number `max_window_layers` on.
    """
    window, layers = read.size("sliding_window", 4096), read.size("num_hidden_layers", None)
    kinds = read.names("layer_types")
    known = {"full_attention": False, "sliding_attention": True}
    if kinds:
        blocks = tuple(known.get(kind, False) for kind in kinds)
        if len(blocks) != layers or not set(kinds) <= set(known):
            read.refuse("layer_types", f"one of {' and '.join(known)} for each layer")
    elif pattern:
        blocks = pattern
    else:
        first = read.size("max_window_layers", 28)
        blocks = tuple(block >= first for block in range(layers))
    # A repeated pattern is kept once, so that however a file says it, the config is the same.
    shortest = next(n for n in range(1, len(blocks) + 1) if all(blocks[i] == blocks[i % n] for i in range(len(blocks))))
    return {"window": window, "window_blocks": blocks[:shortest]} if any(blocks) else {}


def written_windows(config: ModelConfig) -> dict[str, object]:
    """The fields of `config.json` that `read_windows` reads."""
    if not config.window:
        return {}
    kinds = ["sliding_attention" if config.window_of(block) else "full_attention" for block in range(config.layers)]
    return {"sliding_window": config.window, "layer_types": kinds}


def read_sizes(read: ConfigReader, *, head_size: int | None = None) -> dict[str, object]:
    """The sizes that all models in the style of Llama have: of heads and MLP, and the epsilon of norms.

    head_size: the default, None for channels / heads.
    """
    heads, channels = read.size("num_attention_heads", None), read.size("hidden_size", None)
    size = read.size("head_dim", head_size or max(1, channels // heads))
    kv_heads = read.size("num_key_value_heads", heads)
    return {
        "own_head_size": 0 if size * heads == channels else size,
        "own_kv_heads": 0 if kv_heads == heads else kv_heads,
        "own_neurons": read.size("intermediate_size", None),
        "epsilon": read.number("rms_norm_eps", 1e-6),
    }


def written_sizes(config: ModelConfig) -> dict[str, object]:
    """The fields of `config.json` that `read_sizes` and `read_rope` read."""
    fields: dict[str, object] = {
        "head_dim": config.head_size,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.neurons,
        "rms_norm_eps": config.epsilon,
    }
    rope = config.rope
    if rope is None:
        return fields
    fields["rope_theta"] = rope.theta
    if rope.llama3 is not None:
        fields["rope_scaling"] = {
            "rope_type": "llama3",
            "factor": rope.llama3.factor,
            "low_freq_factor": rope.llama3.low,
            "high_freq_factor": rope.llama3.high,
            "original_max_position_embeddings": rope.llama3.positions,
        }
    elif rope.linear != 1:
        fields["rope_scaling"] = {"rope_type": "linear", "factor": rope.linear}
    return fields
