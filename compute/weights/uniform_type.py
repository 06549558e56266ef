"""What all sources of weights of one type, none of them quantized, have in common."""

from __future__ import annotations


class UniformType:
    """Half of `WeightSource`. `dtype`: of all weights."""

    dtype: str

    def dtype_of(self, name: str) -> str:
        """See `WeightSource.dtype_of`."""
        return self.dtype

    def blocks(self, name: str) -> None:
        """See `WeightSource.blocks`: none are quantized."""
