"""The activations of each block that activation patching replaces."""

from __future__ import annotations

from typing import Literal

from .description import Description, Section
from .operations import Add, Alias, Attention, Norm

Over = Literal["resid_pre", "attn", "mlp", "heads"]
RESIDUAL: Over = "resid_pre"
HEADS: Over = "heads"
MLP: Over = "mlp"
PATCHED: dict[Over, str] = {
    "resid_pre": "the residual stream before each block",
    "attn": "what attention adds",
    "mlp": "what the MLP adds",
    "heads": "each head at all positions",
}
"""What can be patched, with words for it."""


def patch_points(description: Description, over: Over) -> list[str]:
    """The name of the activation in each block: [tokens, columns]; of `HEADS` the heads lie side by side."""
    return [_of_block(description, section, over) for section in description.sections if section.block is not None]


def _of_block(description: Description, section: Section, over: Over) -> str:
    (attention,) = (operation for operation in section.operations if isinstance(operation, Attention))
    if over == "heads":
        return attention.output
    if over == "resid_pre":
        before = next(operation for operation in section.operations if isinstance(operation, Alias))
        return before.output
    parts = [
        name
        for operation in section.operations
        if isinstance(operation, Add) and operation.output in description.stream
        for name in description.contributors(operation.output)
    ]
    from_attention = [
        name for name in parts if attention.output in description.sources(_unnormalized(description, name))
    ]
    found = from_attention if over == "attn" else [name for name in parts if name not in from_attention]
    if len(found) != 1:
        raise ValueError(f"{section.title}: adds {parts} to the residual stream")
    return found[0]


def _unnormalized(description: Description, name: str) -> str:
    """The activation `name`, or what it is the norm of: some models normalize what attention and MLP add."""
    operation = description.outputs[name]
    return operation.x if isinstance(operation, Norm) else name
