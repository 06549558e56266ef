"""What the programs for one token on a GPU have in common: they replace whole blocks of a description."""

from __future__ import annotations

from typing import Any

from compute.models.description import Description
from compute.models.operations import Add, Gather

from .decode_block import DecodeBlock, decode_blocks
from .program import Program


class DecodeProgram(Program):
    """A program over one row, for descriptions that consist of the blocks it replaces, see `decode_blocks`."""

    def __init__(self, kernels: Any, description: Description, *rest: Any) -> None:
        """As `Program`. Raises ValueError for a description that has other blocks."""
        blocks = decode_blocks(description)
        if blocks is None:
            raise ValueError(f"{type(self).__name__} cannot run {description.architecture}")
        self._stretches: list[DecodeBlock] = blocks
        tokens, positions, total = description.sections[0].operations
        assert isinstance(tokens, Gather)
        assert isinstance(positions, Gather)
        assert isinstance(total, Add)
        self._embedding = (tokens, positions, total)
        super().__init__(kernels, description, *rest)
