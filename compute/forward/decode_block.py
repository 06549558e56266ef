"""The stretch of a description that the fused and chain programs replace: a whole GPT-2 block."""

from __future__ import annotations

from dataclasses import dataclass

from compute.models.description import Description, Section
from compute.models.operations import Activation, Add, Alias, Attention, Gather, Head, LayerNorm, Linear

_EPSILON = 1e-5  # of the norms in the decode kernels


@dataclass(frozen=True)
class DecodeBlock:
    """The operations of one block, by their part in it."""

    section: int  # its index in the description
    norm_1: LayerNorm
    qkv: Linear
    attention: Attention
    attn_proj: Linear
    resid_mid: Add
    norm_2: LayerNorm
    fc: Linear
    activation: Activation
    mlp_proj: Linear
    resid_post: Add

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the block computes, in the order in which it runs."""
        return (
            self.norm_1.output, self.qkv.output, self.attention.output, self.attn_proj.output, self.resid_mid.output,
            self.norm_2.output, self.fc.output, self.activation.output, self.mlp_proj.output, self.resid_post.output,
        )  # fmt: skip


def decode_blocks(description: Description) -> list[DecodeBlock] | None:
    """The blocks of a description that consists of nothing else; None when the decode programs cannot run it."""
    embedding, *blocks, head = description.sections
    match embedding.operations:
        case (Gather(by="token") as tokens, Gather(by="position") as positions, Add(terms=terms)) if terms == (
            tokens.output,
            positions.output,
        ):
            stream = embedding.operations[-1].output
        case _:
            return None
    matched = []
    for index, section in enumerate(blocks, start=1):
        block = _matched(description, index, section, stream)
        if block is None:
            return None
        matched.append(block)
        stream = block.resid_post.output
    return matched if _is_head(head, stream) else None


def _is_head(section: Section, stream: str) -> bool:
    """True for a norm of `stream`, and a product with it."""
    match section.operations:
        case (LayerNorm() as norm, Head() as head):
            return norm.x == stream and head.x == norm.output and head.bias is None and not head.cap and _is_norm(norm)
    return False


def _is_norm(norm: LayerNorm) -> bool:
    """True for a norm of the kind that the kernels have built in."""
    return norm.shift is not None and norm.epsilon == _EPSILON


def _matched(description: Description, index: int, section: Section, stream: str) -> DecodeBlock | None:
    operations = [operation for operation in section.operations if not isinstance(operation, Alias)]
    match operations:
        case [
            LayerNorm() as norm_1, Linear() as qkv, Attention() as attention, Linear() as attn_proj, Add() as mid,
            LayerNorm() as norm_2, Linear() as fc, Activation(function="gelu") as activation, Linear() as mlp_proj,
            Add() as post,
        ]:  # fmt: skip
            block = DecodeBlock(index, norm_1, qkv, attention, attn_proj, mid, norm_2, fc, activation, mlp_proj, post)
        case _:
            return None
    wiring = (
        (norm_1.x, stream), (qkv.x, norm_1.output), (attention.packed, qkv.output), (attn_proj.x, attention.output),
        (mid.terms[0], stream), (mid.terms[1:], (attn_proj.output,)), (norm_2.x, mid.output), (fc.x, norm_2.output),
        (activation.x, fc.output), (mlp_proj.x, activation.output), (post.terms, (mid.output, mlp_proj.output)),
    )  # fmt: skip
    if any(_canonical(description, have) != want for have, want in wiring):
        return None
    complete = all(linear.bias is not None for linear in (qkv, attn_proj, fc, mlp_proj))
    complete = complete and _is_norm(norm_1) and _is_norm(norm_2)
    # The kernels have these widths built in.
    c, heads = description.config.channels, description.config.heads
    widths = (qkv.columns, attention.columns, mid.columns, fc.columns) == (3 * c, c, c, 4 * c)
    plain = not attention.scale and not attention.cap and not attention.window and attention.heads == heads
    return block if complete and widths and plain else None


def _canonical(description: Description, name: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    return description.canonical(name) if isinstance(name, str) else name
