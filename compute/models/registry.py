"""The registry: every tensor of the model by name, with its location on the GPU and a one-sentence description.

All views (Strip, Map, statistics, inspector, traces) read the registry; none has its own list of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import wgpu

from compute.errors import UsageError

from .config import ModelConfig
from .description import Description


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of a matrix in one resource. A matrix above the binding limit has several shards."""

    resource: wgpu.GPUBuffer | wgpu.GPUTexture
    offset: int  # bytes into the buffer; 0 for textures
    size: int  # bytes; for a texture, of its texels
    first_row: int
    rows: int


@dataclass(frozen=True)
class TensorStorage:
    """Where the values of a tensor are on the GPU, and how they are packed.

    kind: "buffer" (row by row), "texture" (see wgsl/common/weight.wgsl), or "recomputed" on demand by a view, without
    shards; dtype: "f32", "bf16", "f16" or a quantized type; tile: texture width in rows of the matrix, 0 for buffers.
    """

    kind: str
    dtype: str
    tile: int
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor. `rows` is None for activations, which have one row per context token.

    Attention patterns are [heads, query, key]; `columns` is the longest context, of which they use a part.
    """

    name: str
    kind: str  # "embedding", "weight", "activation" or "logits"
    rows: int | None
    columns: int
    vector: bool  # one-dimensional: shape is (columns,)
    description: str
    storage: TensorStorage
    strip: bool = True  # shown in the Strip
    heads: int = 0  # for attention patterns, otherwise 0

    @property
    def kept(self) -> bool:
        """True when the values are in GPU memory, false when they are recomputed."""
        return bool(self.storage.shards)

    @property
    def is_logits(self) -> bool:
        """True for the logits of the latest pass, which Map shows relative to their mean."""
        return self.kind == "logits"

    def rows_in(self, shard: Shard) -> int:
        """Rows of this tensor in one of its shards. A vector is one row, but its shard counts its values as rows."""
        return 1 if self.vector else shard.rows


class Registry:
    """Tensors in the order in which the model uses them, and what activations contain: the latest pass.

    passes: how many there were; rows, first_position: number of context tokens of the latest one, and the position of
    the first of them.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.passes = self.rows = 0
        self.first_position = 0
        self._tensors: dict[str, Tensor] = {}

    @property
    def config(self) -> ModelConfig:
        """The sizes of the model."""
        return self.description.config

    def add(self, tensor: Tensor) -> None:
        """Append a tensor. Raises `ValueError` when the name is already there."""
        if tensor.name in self._tensors:
            raise ValueError(f"{tensor.name} is already in the registry")
        self._tensors[tensor.name] = tensor

    def store(self, name: str, storage: TensorStorage) -> None:
        """Note that a tensor is stored elsewhere from now on, as a weight is while it is edited."""
        self._tensors[name] = replace(self[name], storage=storage)

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
