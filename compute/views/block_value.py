"""How a quantized weight stores a value: its code, and the scale that it shares with its neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compute.weights.block_types import BLOCK_TYPES


@dataclass(frozen=True)
class BlockValue:
    """The parts of a value: scale * (code - zero) + minimum.

    dtype: the type, such as "q4_1". code: as stored, with `bits` bits, signed in q8_0. shared: values with this scale,
    and this minimum if there is one.
    """

    dtype: str
    code: int
    scale: float
    minimum: float | None

    @property
    def zero(self) -> int:
        """The code that stands for 0, or for the minimum where there is one."""
        return BLOCK_TYPES[self.dtype].zero

    @property
    def bits(self) -> int:
        """Bits of the code."""
        return BLOCK_TYPES[self.dtype].bits

    @property
    def shared(self) -> int:
        """Neighboring values of the row that share the scale."""
        return BLOCK_TYPES[self.dtype].shared

    @property
    def value(self) -> float:
        """The value, rounded to float32 as on the GPU."""
        with np.errstate(over="ignore", invalid="ignore"):
            product = np.float32(self.scale) * np.float32(self.code - self.zero)
            return float(product if self.minimum is None else product + np.float32(self.minimum))


def block_value(dtype: str, words: Sequence[int]) -> BlockValue | None:
    """The parts of a value from the 3 words that wgsl/probe/range.wgsl writes; None for types without blocks."""
    if dtype not in BLOCK_TYPES:
        return None
    code = int(np.array(words[:1], np.uint32).view(np.int32)[0])
    scale, minimum = np.array(words[1:3], np.uint32).view(np.float32)
    return BlockValue(dtype, code, float(scale), float(minimum) if BLOCK_TYPES[dtype].minimum else None)
