"""The registry: every tensor of the model by name, where it lies on the GPU, and one sentence on what it is.

All views (atlas, statistics, inspector, traces) read this; none has a list of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import wgpu

from compute.errors import UsageError

from .config import ModelConfig


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of a matrix in one resource; more than one when the matrix is above the binding limit."""

    resource: wgpu.GPUBuffer | wgpu.GPUTexture
    offset: int  # bytes into the buffer; 0 for textures
    size: int  # bytes; of a texture, those of its texels
    first_row: int
    rows: int


@dataclass(frozen=True)
class TensorStorage:
    """Where values lie on the GPU and how they are packed.

    kind: "buffer" (row by row), "texture" (see wgsl/common/weight.wgsl), or "recomputed" when a view asks, and then
    there are no pieces; dtype: "f32", "bf16" or "f16"; tile: texture width in rows of the matrix, 0 for buffers.
    """

    kind: str
    dtype: str
    tile: int
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor. `rows` is None for activations, which have a row for each token of the context.

    Attention patterns are [heads, query, key]; their `columns` are the longest context, of which they use a part.
    """

    name: str
    kind: str  # "embedding", "weight", "activation" or "logits"
    rows: int | None
    columns: int
    vector: bool  # one-dimensional: shape is (columns,)
    sentence: str
    storage: TensorStorage
    strip: bool = True  # shown in the strip atlas
    heads: int = 0  # of attention patterns, otherwise 0

    @property
    def kept(self) -> bool:
        """True when the values lie in memory, false when they are recomputed."""
        return bool(self.storage.shards)


class Registry:
    """Tensors in the order in which the model runs. `rows` is the number of context tokens of the latest pass."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.rows = 0
        self.first_position = 0
        self._tensors: dict[str, Tensor] = {}

    def add(self, tensor: Tensor) -> None:
        """Append a tensor; a second one of the same name is a programming error."""
        if tensor.name in self._tensors:
            raise ValueError(f"{tensor.name} is in the registry already")
        self._tensors[tensor.name] = tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._tensors.values())

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> Tensor:
        try:
            return self._tensors[name]
        except KeyError:
            raise UsageError(f"{name}: no tensor has this name") from None

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Shape in the latest pass, in elements."""
        if tensor.vector:
            return (tensor.columns,)
        if tensor.heads:
            return (tensor.heads, self.rows, self.rows)
        return (self.rows if tensor.rows is None else tensor.rows, tensor.columns)

    def count(self, tensor: Tensor) -> int:
        """Number of values in the latest pass."""
        return math.prod(self.shape(tensor))
