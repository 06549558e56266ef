"""The rows of a parameter in the type that they have on the GPU, converted a slab at a time."""

from __future__ import annotations

import numpy as np

from .block_packs import PACK_BYTES, packed, packs_per_row
from .block_types import BLOCK_TYPES, dequantize
from .checkpoint import WeightSource
from .dtypes import DTYPES


class StoredRows:
    """Parameter `name` of a source as rows of `dtype`. A vector has one value per row.

    transposed: the matrix as the file stores it, [in, out], when the rows are a transposed view of that; else None.
    """

    def __init__(
        self, source: WeightSource, name: str, rounding: str, shape: tuple[int, ...], *, as_float32: bool
    ) -> None:
        """rounding: the type that values are rounded to; as_float32: the GPU has them as float32 nevertheless."""
        self._source, self._name = source, name
        self._rounding = rounding
        self.dtype = "f32" if as_float32 else rounding
        self.rows = shape[0]
        self._blocks = source.blocks(name)
        # Quantized values are made slab by slab: all of a large matrix would not fit into the host's memory.
        self._values = source.tensor(name).reshape(self.rows, -1) if self._blocks is None else None
        self.transposed: np.ndarray | None = None
        if self._values is not None and not self._values.flags.c_contiguous and self._values.T.flags.c_contiguous:
            self.transposed = self._values.T
        columns = shape[1] if len(shape) == 2 else 1
        if self.dtype in BLOCK_TYPES:
            self.row_bytes = packs_per_row(BLOCK_TYPES[self.dtype], columns) * PACK_BYTES
        else:
            self.row_bytes = columns * DTYPES[self.dtype].itemsize

    def slab(self, first: int, end: int) -> np.ndarray:
        """Rows from `first` to before `end`, in C order: [rows, columns], or of quantized ones the words of packs."""
        if self._blocks is None:
            assert self._values is not None
            return np.ascontiguousarray(self.rounded(self._values[first:end]))
        kind, raw = self._blocks
        if self.dtype == kind.name:
            return packed(kind, raw[first:end]).reshape(end - first, -1)
        return np.ascontiguousarray(self.rounded(dequantize(kind, raw[first:end])))

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """`values` as `dtype`, rounded to the chosen precision."""
        if self._rounding in DTYPES and values.dtype != DTYPES[self._rounding]:
            with np.errstate(over="ignore", invalid="ignore"):  # float16 produces infinities, which the views show
                values = values.astype(DTYPES[self._rounding])
        return values.astype(DTYPES[self.dtype], copy=False)

    def release(self) -> None:
        """Release the mapped pages that slabs have been read from: only one slab needs to be in memory."""
        self._source.release(self._name)
