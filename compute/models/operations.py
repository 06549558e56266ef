"""The vocabulary that models are described in: one dataclass per kind of operation.

An operation names its output tensor, its inputs and its weights. T is the number of tokens in the context; every output
is float32 [T, columns] unless the class says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Weight:
    """A parameter: its name in Hugging Face files (without prefix), and its shape, [out, in] for matrices.

    input_major: Hugging Face files store the matrix as [in, out].
    """

    name: str
    shape: tuple[int, ...]
    about: str
    input_major: bool = False

    @property
    def count(self) -> int:
        """Number of values."""
        product = 1
        for size in self.shape:
            product *= size
        return product


@dataclass(frozen=True)
class Operation:
    """One step of the forward pass: `output`, float32 [T, columns], and a sentence about it."""

    output: str
    columns: int
    about: str

    kind: ClassVar[str] = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Activations that it reads, in the order of the formula."""
        return ()

    @property
    def weights(self) -> tuple[Weight, ...]:
        """Parameters that it reads, in the order of the formula."""
        return ()


@dataclass(frozen=True)
class Alias(Operation):
    """A second name for `source`: the same values in the same memory. Shape [T, columns], as the source."""

    source: str

    kind: ClassVar[str] = "alias"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.source,)


@dataclass(frozen=True)
class Gather(Operation):
    """Rows of `table` [rows, columns], one for each token id or each position of the context. Result [T, columns]."""

    table: Weight
    by: Literal["token", "position"]

    kind: ClassVar[str] = "gather"

    @property
    def weights(self) -> tuple[Weight, ...]:
        return (self.table,)


@dataclass(frozen=True)
class Add(Operation):
    """The sum of `terms`, each [T, columns]."""

    terms: tuple[str, ...]

    kind: ClassVar[str] = "add"

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.terms


@dataclass(frozen=True)
class LayerNorm(Operation):
    """Each row of `x` [T, columns] to mean 0 and variance 1, times `scale` [columns], plus `shift` [columns] if any."""

    x: str
    scale: Weight
    shift: Weight | None
    epsilon: float = 1e-5

    kind: ClassVar[str] = "layer norm"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)

    @property
    def weights(self) -> tuple[Weight, ...]:
        return (self.scale,) if self.shift is None else (self.scale, self.shift)


@dataclass(frozen=True)
class Linear(Operation):
    """x [T, in] times the transpose of `weight` [columns, in], plus `bias` [columns] if any. Result [T, columns]."""

    x: str
    weight: Weight
    bias: Weight | None = None

    kind: ClassVar[str] = "linear"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)

    @property
    def weights(self) -> tuple[Weight, ...]:
        return (self.weight,) if self.bias is None else (self.weight, self.bias)


@dataclass(frozen=True)
class Head(Linear):
    """As `Linear`: a score per vocabulary token. Result [columns]; a pass computes the last row, and others on request.

    Rows past `vocabulary` pad the matrix and belong to no token.
    """

    vocabulary: int = 0

    kind: ClassVar[str] = "head"


@dataclass(frozen=True)
class Activation(Operation):
    """`function` of each value of `x` [T, columns]."""

    x: str
    function: Literal["gelu", "relu"]

    kind: ClassVar[str] = "activation"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)


@dataclass(frozen=True)
class Attention(Operation):
    """Causal attention of `heads` heads over `qkv` [T, 3 columns]: queries, keys and values side by side.

    Result [T, columns], heads side by side. `pattern` names the attention weights [heads, query, key], softmax(query
    times key / sqrt(columns / heads)) over no later key; they are recomputed from `qkv` on request.
    """

    qkv: str
    heads: int
    pattern: str
    about_pattern: str

    kind: ClassVar[str] = "attention"

    @property
    def head_size(self) -> int:
        """Columns of one head."""
        return self.columns // self.heads

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.qkv,)
