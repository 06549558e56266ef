"""Names of tensors and ranges in the text of a formula: without the prefix of the block that the element is in."""

from __future__ import annotations

from compute.models.names import split_name
from compute.models.tensor_index import TensorIndex

from .formula import Source


def short_name(name: str, element: TensorIndex) -> str:
    """`name` without the prefix of its block when `element` is in the same."""
    (block, short), (own, _) = split_name(name), split_name(element.name)
    return short if block is not None and block == own else name


def shown(at: TensorIndex, element: TensorIndex) -> str:
    """`ln_2[5, 12]` for an element that another one is computed from."""
    return str(TensorIndex(short_name(at.name, element), at.index))


def of(source: Source, element: TensorIndex, *, whole: bool = True) -> str:
    """`ln_2[5, :]` for a row; whole: the range with more than one element covers its dimension."""
    parts = (str(first) if end == first + 1 else ":" if whole else f"{first}:{end}" for first, end in source.ranges)
    return f"{short_name(source.name, element)}[{', '.join(parts)}]"


def cell(at: TensorIndex) -> Source:
    """The source that consists of one element."""
    return Source(at.name, tuple((part, part + 1) for part in at.index))
