"""The tensors of GPT-2 that Strip shows, listed by hand."""

from __future__ import annotations

_BLOCK_WEIGHTS = tuple(
    f"{module}.{part}"
    for module in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    for part in ("weight", "bias")
)
_BLOCK_ACTIVATIONS = (
    "ln_1", "attn.qkv", "attn.out", "attn.c_proj", "resid_mid",
    "ln_2", "mlp.c_fc", "mlp.gelu", "mlp.c_proj", "resid_post",
)  # fmt: skip


def gpt2_names(layers: int) -> list[tuple[str, str]]:
    """Name and kind of every tensor of GPT-2 in Strip, in run order."""
    order = [("embed.tokens", "embedding"), ("embed.positions", "embedding"), ("embed.sum", "embedding")]
    order.append(("h.0.resid_pre", "activation"))
    for layer in range(layers):
        order += [(f"h.{layer}.{name}", "weight") for name in _BLOCK_WEIGHTS]
        order += [(f"h.{layer}.{name}", "activation") for name in _BLOCK_ACTIVATIONS]
    return [*order, ("ln_f", "activation"), ("logits", "logits")]
