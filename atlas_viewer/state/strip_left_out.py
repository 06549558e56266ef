"""Tensors for which Strip has no cells left, in words."""

from __future__ import annotations

from collections.abc import Sequence

from compute.models.names import split_name

_NAMED = 12  # at most


def left_out_notice(names: Sequence[str]) -> str:
    """What of the model does not fit, and where it is; names: of the tensors without cells, in the order of Strip."""
    blocks = [block for block, _ in map(split_name, names) if block is not None]
    if not blocks:
        return f"{_count(names)} did not fit; M opens Map, which has all"
    return f"{min(blocks)} of {max(blocks) + 1} blocks fit; M opens Map, which has all"


def left_out_details(names: Sequence[str]) -> str:
    """The same with names, and how to reach a tensor."""
    listed = "\n".join(names[:_NAMED]) + ("\n..." if len(names) > _NAMED else "")
    return (
        f"Strip has as many cells for every model. No cells are left for {_count(names)}:\n{listed}\n"
        "Click or press M for Map, where every tensor is; G goes to one by its name."
    )


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''}"
