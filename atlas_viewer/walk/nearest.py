"""The name most like one that does not exist, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from compute.models.names import block_name, split_name

_LONGEST = 200  # characters of a name that are compared


def nearest(name: str, known: Sequence[str]) -> str:
    """The name in `known`, which is not empty, that is most like `name`."""
    name = name[:_LONGEST]
    starting = [other for other in known if name and other.startswith(name)]
    if starting:
        return starting[0]
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def nearest_tensor(name: str, known: Sequence[str], layers: int) -> str:
    """The tensor most like `name`; a block that the model does not have becomes its last one."""
    block, short = split_name(name[:_LONGEST])
    if block is None:
        return nearest(name, known)
    block = min(block, layers - 1)
    return nearest(block_name(block, short), [other for other in known if split_name(other)[0] == block] or known)
