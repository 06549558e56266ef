"""Names of tensors: `h.3.attn.out` is `attn.out` of block 3; outside of the blocks the name is all there is.

Weights are called as in Hugging Face files: `h.3.attn.c_proj.weight` or `layers.3.self_attn.o_proj.weight`.
"""

from __future__ import annotations

import re

_BLOCK = re.compile(r"(?:h|layers)\.(\d+)\.(.+)", re.DOTALL)


def block_name(block: int | str, short: str) -> str:
    """The tensor `short` of block number `block`, or of the block that a word stands for."""
    return f"h.{block}.{short}"


def block_title(block: int) -> str:
    """The name of block number `block` as a whole."""
    return f"h.{block}"


def block_number(title: str) -> int | None:
    """The number of the block with this name; None for other parts of the model."""
    found = re.fullmatch(r"h\.(\d+)", title)
    return int(found[1]) if found else None


def split_name(name: str) -> tuple[int | None, str]:
    """The block's number, None outside of the blocks, and the name within it: (3, "attn.out") for h.3.attn.out."""
    found = _BLOCK.fullmatch(name)
    return (int(found[1]), found[2]) if found else (None, name)
