"""GPT-2: layer norms before attention and MLP, learned positions, GELU, a head tied to the token embedding."""

from __future__ import annotations

from .architecture import Architecture, ConfigFields, GgufFields
from .builder import Builder
from .config import GPT2_SIZES, ModelConfig
from .description import Description


def gpt2(config: ModelConfig) -> Description:
    """The model of `config`. T tokens of context, C channels, H heads, N positions, V rows of the padded vocabulary."""
    c = config.channels
    m = Builder(config, ABOUT, input_major=True)

    m.section("embedding")
    wte = m.weight("wte", config.padded_vocabulary, c)  # [V, C]
    wpe = m.weight("wpe", config.positions, c)  # [N, C]
    tokens = m.gather("embed.tokens", wte, by="token")  # [T, C]
    positions = m.gather("embed.positions", wpe, by="position")  # [T, C]
    stream = m.add("embed.sum", tokens, positions)  # [T, C]

    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("resid_pre", stream)  # [T, C]
        x = m.layer_norm("ln_1", pre)  # [T, C]
        x = m.linear("attn.qkv", x, "attn.c_attn", 3 * c)  # [T, 3C]
        x = m.attention("attn.out", x, heads=config.heads, pattern="attn.pattern")  # [T, C], [H, T, T]
        x = m.linear("attn.c_proj", x, "attn.c_proj", c)  # [T, C]
        mid = m.add("resid_mid", pre, x)  # [T, C]
        x = m.layer_norm("ln_2", mid)  # [T, C]
        x = m.linear("mlp.c_fc", x, "mlp.c_fc", 4 * c)  # [T, 4C]
        x = m.activation("mlp.gelu", x, "gelu")  # [T, 4C]
        x = m.linear("mlp.c_proj", x, "mlp.c_proj", c)  # [T, C]
        stream = m.add("resid_post", mid, x)  # [T, C]

    m.section("head")
    x = m.layer_norm("ln_f", stream)  # [T, C]
    m.head("logits", x, wte)  # [V]
    return m.description("gpt2")


ABOUT = {
    "wte": "Token embedding: one row per vocabulary token; its transpose is the language-model head.",
    "wpe": "Position embedding: one row per absolute position.",
    "embed.tokens": "The embedding row of each context token.",
    "embed.positions": "The embedding row of each context position.",
    "embed.sum": "Token plus position embedding: the input of the first block.",
    "resid_pre": "The residual stream as it enters the block.",
    "ln_1.weight": "Scale of the layer norm before attention.",
    "ln_1.bias": "Shift of the layer norm before attention.",
    "ln_1": "The residual stream, normalized for attention.",
    "attn.c_attn.weight": "Projects to queries, keys and values of all heads.",
    "attn.c_attn.bias": "Bias of the queries, keys and values.",
    "attn.qkv": "Queries, keys and values of all heads, side by side.",
    "attn.pattern": "How much each query attends to each key, one matrix per head; rows sum to 1.",
    "attn.out": "Values mixed by attention, heads side by side.",
    "attn.c_proj.weight": "Mixes the heads' outputs back into the residual stream.",
    "attn.c_proj.bias": "Bias of the attention output.",
    "attn.c_proj": "What attention adds to the residual stream.",
    "resid_mid": "The residual stream after attention.",
    "ln_2.weight": "Scale of the layer norm before the MLP.",
    "ln_2.bias": "Shift of the layer norm before the MLP.",
    "ln_2": "The residual stream, normalized for the MLP.",
    "mlp.c_fc.weight": "Widens the residual stream fourfold: one row per hidden neuron.",
    "mlp.c_fc.bias": "Bias of the hidden neurons.",
    "mlp.c_fc": "Hidden neurons before GELU.",
    "mlp.gelu": "Hidden neurons after GELU.",
    "mlp.c_proj.weight": "Reads the hidden neurons back into the residual stream.",
    "mlp.c_proj.bias": "Bias of the MLP output.",
    "mlp.c_proj": "What the MLP adds to the residual stream.",
    "resid_post": "The residual stream as it leaves the block.",
    "ln_f.weight": "Scale of the final layer norm.",
    "ln_f.bias": "Shift of the final layer norm.",
    "ln_f": "The residual stream, normalized for the head.",
    "logits": "A score for every vocabulary token to be the next one, including the padding of the vocabulary.",
}

GPT2 = Architecture(
    name="gpt2",
    title="GPT-2",
    describe=gpt2,
    model_types=("gpt2",),
    fields=ConfigFields(
        layers="n_layer",
        heads="n_head",
        channels="n_embd",
        positions="n_positions",
        vocabulary="vocab_size",
        # Files with other heads name other classes.
        classes=("GPT2LMHeadModel", "GPT2Model"),
        # Both names stand for the tanh approximation of GELU.
        computed={"activation_function": ("gelu_new", "gelu_pytorch_tanh"), "layer_norm_epsilon": (1e-5,)},
        switches={
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
            "quantization_config": None,
        },
        multiples={"n_inner": 4},
        written=lambda config: {
            "bos_token_id": config.vocabulary - 1,
            "eos_token_id": config.vocabulary - 1,
            "n_ctx": config.positions,
        },
    ),
    prefixes=("transformer.",),
    # Attention masks, which old versions of the format also saved.
    masks=(".attn.bias", ".attn.masked_bias"),
    tokens=GPT2_SIZES["gpt2"].vocabulary,
    shapes=GPT2_SIZES,
    gguf=GgufFields(
        architectures=("gpt2",),
        fields={
            "layers": "block_count",
            "heads": "attention.head_count",
            "channels": "embedding_length",
            "positions": "context_length",
            "epsilon": "attention.layer_norm_epsilon",
        },
        constants={},
        tensors={
            "wte": "token_embd.weight",
            "wpe": "position_embd.weight",
            "ln_1.weight": "attn_norm.weight",
            "ln_1.bias": "attn_norm.bias",
            "attn.c_attn.weight": "attn_qkv.weight",
            "attn.c_attn.bias": "attn_qkv.bias",
            "attn.c_proj.weight": "attn_output.weight",
            "attn.c_proj.bias": "attn_output.bias",
            "ln_2.weight": "ffn_norm.weight",
            "ln_2.bias": "ffn_norm.bias",
            "mlp.c_fc.weight": "ffn_up.weight",
            "mlp.c_fc.bias": "ffn_up.bias",
            "mlp.c_proj.weight": "ffn_down.weight",
            "mlp.c_proj.bias": "ffn_down.bias",
            "ln_f.weight": "output_norm.weight",
            "ln_f.bias": "output_norm.bias",
        },
    ),
)
