"""Names of the parts of a block that people select: heads, neurons, attention, the MLP and the residual stream."""

from __future__ import annotations

from collections.abc import Container

_THIRDS = ("q", "k", "v")


def embedding() -> str:
    """The sum of the embeddings, which begins the residual stream."""
    return "embed.sum"


def heads_output(layer: int) -> str:
    """What the heads of a block put out, side by side."""
    return f"h.{layer}.attn.out"


def pattern(layer: int) -> str:
    """The attention weights of a block."""
    return f"h.{layer}.attn.pattern"


def scores_of(pattern: str) -> str:
    """The scores that an attention pattern is computed from; also of a name with an index."""
    return pattern.replace(".attn.pattern", ".attn.scores")


def neurons(layer: int, known: Container[str]) -> str:
    """The hidden neurons of a block's MLP, after the nonlinearity. known: names of the model's tensors."""
    names = [f"h.{layer}.mlp.{short}" for short in ("gelu", "gated", "relu")]
    return next((name for name in names if name in known), names[0])


def mlp_output(layer: int) -> str:
    """What the MLP of a block adds to the residual stream."""
    return f"h.{layer}.mlp.c_proj"


def stream(layer: int) -> str:
    """The residual stream after a block."""
    return f"h.{layer}.resid_post"


def of_heads(name: str, third: int) -> str:
    """The tensor by which the heads of a part are addressed: of queries, keys and values together, one of the three."""
    return f"{name.removesuffix('qkv')}{_THIRDS[third]}" if name.endswith(".qkv") else name
