"""What the views call the parts of a model."""

from __future__ import annotations

from compute.models.names import block_number


def part_title(title: str) -> str:
    """The title of a part of the model in a picture: "block 3" for h.3, "output" for the head."""
    block = block_number(title)
    if block is not None:
        return f"block {block}"
    return {"head": "output"}.get(title, title)
