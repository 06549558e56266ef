"""A one-sentence description of every tensor."""

from __future__ import annotations

_DESCRIPTIONS = {
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


def description(name: str) -> str:
    """One sentence about the tensor `name`, which includes the number of its block."""
    if name.startswith("h."):
        _, layer, rest = name.split(".", 2)
        return f"Block {layer}: {_DESCRIPTIONS[rest]}"
    return _DESCRIPTIONS[name]
