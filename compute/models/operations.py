"""The vocabulary that models are described in: one dataclass per kind of operation.

An operation names its output tensor, its inputs and its weights. T is the number of tokens in the context; every output
is float32 [T, columns] unless the class says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Literal

Function = Literal["gelu", "gelu_exact", "silu", "relu"]
"""Functions of neurons; "gelu" is the tanh form of GELU, "gelu_exact" the one with the error function."""


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
class Scale(Operation):
    """Each value of `x` [T, columns] times `factor`."""

    x: str
    factor: float

    kind: ClassVar[str] = "scale"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)


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
class RmsNorm(Operation):
    """Each row of `x` [T, columns] divided by the root of its mean square plus epsilon, times `scale` plus `offset`.

    Columns are normalized in groups as long as `scale`: a row is one group, or one group per head. offset: 1 where the
    file stores how far the scale is from 1, as Gemma does.
    """

    x: str
    scale: Weight
    epsilon: float = 1e-6
    offset: float = 0.0

    kind: ClassVar[str] = "rms norm"

    @property
    def size(self) -> int:
        """Columns that are normalized together."""
        return self.scale.count

    @property
    def shift(self) -> None:
        """There is none."""

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)

    @property
    def weights(self) -> tuple[Weight, ...]:
        return (self.scale,)


Norm = LayerNorm | RmsNorm


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

    Rows past `vocabulary` pad the matrix and belong to no token. cap: if not 0, a score s becomes cap * tanh(s / cap).
    """

    vocabulary: int = 0
    cap: float = 0.0

    kind: ClassVar[str] = "head"


@dataclass(frozen=True)
class Activation(Operation):
    """`function` of each value of `x` [T, columns]."""

    x: str
    function: Function

    kind: ClassVar[str] = "activation"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x,)


@dataclass(frozen=True)
class Gated(Operation):
    """`function` of each value of `x` times the value of `up` there, both [T, columns]: SwiGLU with SiLU, GeGLU."""

    x: str
    up: str
    function: Function

    kind: ClassVar[str] = "gated activation"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x, self.up)


@dataclass(frozen=True)
class Heads:
    """The columns of an activation that belong to heads: head h has `size` of them from `first` + h * `stride` on."""

    source: str
    heads: int
    size: int
    first: int = 0
    stride: int = 0  # 0 for heads side by side

    @property
    def step(self) -> int:
        """Columns from a head's first to that of the next head."""
        return self.stride or self.size

    @property
    def columns(self) -> int:
        """Columns of all heads."""
        return self.heads * self.size

    def column(self, head: int, channel: int = 0) -> int:
        """Where a channel of a head is in the source."""
        return self.first + head * self.step + channel

    def within(self, column: int) -> int:
        """Where column `column` of all heads side by side is in the source."""
        return self.column(*divmod(column, self.size))


@dataclass(frozen=True)
class Rope(Operation):
    """Rotary positions: the first channels of each head are rotated in pairs, by position times the pair's frequency.

    Result [T, columns], heads side by side. frequencies: in radians per position; pair i of N = len(frequencies) is
    the channels (i, i + N), or when `interleaved` (2 i, 2 i + 1). Channels past 2 N stay as they are.
    """

    x: Heads
    frequencies: tuple[float, ...]
    interleaved: bool = False

    kind: ClassVar[str] = "rope"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.x.source,)

    def pair(self, channel: int) -> tuple[int, int, int] | None:
        """(number, first channel, second channel) of the pair that a channel of a head is in; None outside of pairs."""
        pairs = len(self.frequencies)
        if channel >= 2 * pairs:
            return None
        number = channel // 2 if self.interleaved else channel % pairs
        return (number, 2 * number, 2 * number + 1) if self.interleaved else (number, number, number + pairs)


@dataclass(frozen=True)
class Attention(Operation):
    """Causal attention of `query.heads` heads, which share key and value heads in groups of equal size.

    Result [T, columns], heads side by side. `pattern` names the attention weights [heads, query, key], the softmax of
    the scores over no later key; they are recomputed on request. A score is `scale` times query times key. cap: if not
    0, it becomes cap * tanh(score / cap). window: if not 0, a query sees the last `window` tokens alone, its own
    included.
    """

    query: Heads
    key: Heads
    value: Heads
    pattern: str
    about_pattern: str
    scale: float = 0.0
    cap: float = 0.0
    window: int = 0

    kind: ClassVar[str] = "attention"

    @property
    def heads(self) -> int:
        """Query heads."""
        return self.query.heads

    @property
    def kv_heads(self) -> int:
        """Key and value heads."""
        return self.key.heads

    @property
    def group(self) -> int:
        """Query heads that share a key and a value head."""
        return self.query.heads // self.key.heads

    @property
    def head_size(self) -> int:
        """Columns of one head."""
        return self.query.size

    @property
    def score_scale(self) -> float:
        """The factor of all scores, by default 1 / sqrt(head size)."""
        return self.scale or 1 / sqrt(self.head_size)

    @property
    def packed(self) -> str | None:
        """The activation that is queries, keys and values of as many heads, side by side; None when there is none."""
        source, columns = self.query.source, self.query.columns
        parts = [Heads(source, self.heads, self.head_size, third * columns) for third in range(3)]
        return source if [self.query, self.key, self.value] == parts else None

    @property
    def parts(self) -> tuple[tuple[str, Heads], ...]:
        """Queries, keys and values, with their letters."""
        return (("q", self.query), ("k", self.key), ("v", self.value))

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(heads.source for _, heads in self.parts))

    def first_key(self, query: int) -> int:
        """The first key that a query sees, both counted from the start of the sequence."""
        return max(0, query + 1 - self.window) if self.window else 0
