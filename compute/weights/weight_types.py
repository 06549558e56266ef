"""The type that each parameter has on the GPU, and its size there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compute.models.architectures import describe
from compute.models.operations import Weight

from .block_packs import PACK_BYTES, packs_per_row
from .block_types import BLOCK_TYPES
from .checkpoint import WeightSource
from .dtypes import DTYPES

NATIVE = "native"
"""Each parameter keeps the type that it has in the file."""


def weight_types(source: WeightSource, wanted: str) -> dict[str, str]:
    """The type of each parameter by name. wanted: `NATIVE`, or one of `DTYPES` for all of them."""
    names = describe(source.config).weights
    return {name: source.dtype_of(name) if wanted == NATIVE else wanted for name in names}


def weight_bytes(weight: Weight, dtype: str) -> int:
    """GPU memory of a matrix of this type, in bytes."""
    if dtype in BLOCK_TYPES:
        return weight.shape[0] * packs_per_row(BLOCK_TYPES[dtype], weight.shape[1]) * PACK_BYTES
    return weight.count * DTYPES[dtype].itemsize


def parameter(source: WeightSource, name: str, types: Mapping[str, str]) -> np.ndarray:
    """A parameter as float32, in C order, rounded to the type that it has on the GPU."""
    stored, dtype = source.tensor(name), types[name]
    if dtype in DTYPES:
        with np.errstate(over="ignore", invalid="ignore"):
            stored = stored.astype(DTYPES[dtype], copy=False)
    result: np.ndarray = np.array(stored, np.float32, order="C")
    return result
