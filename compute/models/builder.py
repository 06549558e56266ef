"""Writes a description down line by line: each call appends one operation and returns it, for later ones to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .config import ModelConfig
from .description import Description, Section
from .names import block_name
from .operations import (
    Activation,
    Add,
    Alias,
    Attention,
    Function,
    Gated,
    Gather,
    Head,
    Heads,
    LayerNorm,
    Linear,
    Operation,
    RmsNorm,
    Rope,
    Scale,
    Weight,
)


class Builder:
    """Collects the operations of a model, section by section.

    about: a sentence on each tensor, by its name without the block; a KeyError when one is missing. Names that are
    passed to the methods are without the block, too.
    """

    def __init__(
        self, config: ModelConfig, about: Mapping[str, str], *, input_major: bool = False, blocks: str = "h"
    ) -> None:
        """input_major: Hugging Face files store the matrices of blocks as [in, out]; blocks: what they call blocks."""
        self._config = config
        self._blocks = blocks
        self._about = about
        self._input_major = input_major
        self._block: int | None = None
        self._sections: list[tuple[str, int | None, list[Operation]]] = []

    def section(self, title: str, block: int | None = None) -> None:
        """Begin a section: the embedding, the head, or the block of that number."""
        self._block = block
        self._sections.append((title, block, []))

    def weight(self, name: str, *shape: int, input_major: bool = False) -> Weight:
        """A weight of `shape`, [out, in] for matrices."""
        full = name if self._block is None else f"{self._blocks}.{self._block}.{name}"
        return Weight(full, shape, self._sentence(name), input_major)

    def alias(self, name: str, source: Operation) -> Operation:
        """A second name for what `source` writes."""
        return self._append(Alias(*self._head(name, source.columns), source.output))

    def gather(self, name: str, table: Weight, *, by: Literal["token", "position"]) -> Operation:
        """Rows of `table`, by token id or by position."""
        return self._append(Gather(*self._head(name, table.shape[1]), table, by))

    def add(self, name: str, *terms: Operation) -> Operation:
        """The sum of `terms`."""
        return self._append(Add(*self._head(name, terms[0].columns), tuple(term.output for term in terms)))

    def layer_norm(self, name: str, x: Operation, *, bias: bool = True) -> Operation:
        """`x` normalized by rows; its weights are called `name`.weight and `name`.bias."""
        scale = self.weight(f"{name}.weight", x.columns)
        shift = self.weight(f"{name}.bias", x.columns) if bias else None
        return self._append(LayerNorm(*self._head(name, x.columns), x.output, scale, shift))

    def norm(self, name: str, x: Operation, module: str) -> Operation:
        """The layer norm `module` of `x`, with a shift."""
        scale, shift = self.weight(f"{module}.weight", x.columns), self.weight(f"{module}.bias", x.columns)
        return self._append(LayerNorm(*self._head(name, x.columns), x.output, scale, shift, self._config.epsilon))

    def rms_norm(self, name: str, x: Operation, module: str, *, size: int = 0, offset: float = 0.0) -> Operation:
        """`x` divided by its root mean square, times `module`.weight plus `offset`.

        size: columns that are normalized together, and values of the weight; 0 for all columns.
        """
        scale = self.weight(f"{module}.weight", size or x.columns)
        return self._append(RmsNorm(*self._head(name, x.columns), x.output, scale, self._config.epsilon, offset))

    def scale(self, name: str, x: Operation, factor: float) -> Operation:
        """`x` times `factor`."""
        return self._append(Scale(*self._head(name, x.columns), x.output, factor))

    def linear(self, name: str, x: Operation, module: str, columns: int, *, bias: bool = True) -> Operation:
        """`x` times the matrix `module`.weight [columns, x.columns], plus `module`.bias."""
        weight = self.weight(f"{module}.weight", columns, x.columns, input_major=self._input_major)
        shift = self.weight(f"{module}.bias", columns) if bias else None
        return self._append(Linear(*self._head(name, columns), x.output, weight, shift))

    def activation(self, name: str, x: Operation, function: Function) -> Operation:
        """`function` of each value of `x`."""
        return self._append(Activation(*self._head(name, x.columns), x.output, function))

    def gated(self, name: str, x: Operation, up: Operation, function: Function) -> Operation:
        """`function` of each value of `x` times that of `up`."""
        return self._append(Gated(*self._head(name, x.columns), x.output, up.output, function))

    def rope(self, name: str, x: Heads, frequencies: tuple[float, ...]) -> Operation:
        """The heads `x` with their channels rotated by position, in pairs (i, i + half)."""
        return self._append(Rope(*self._head(name, x.columns), x, frequencies))

    def attention(self, name: str, qkv: Operation, *, heads: int, pattern: str) -> Operation:
        """Causal attention over queries, keys and values side by side; the weights of it are called `pattern`."""
        columns = qkv.columns // 3
        query, key, value = (Heads(qkv.output, heads, columns // heads, third * columns) for third in range(3))
        return self.attention_of(name, query, key, value, pattern=pattern)

    def attention_of(
        self,
        name: str,
        query: Heads,
        key: Heads,
        value: Heads,
        *,
        pattern: str,
        scale: float = 0.0,
        cap: float = 0.0,
        window: int = 0,
    ) -> Operation:
        """Causal attention; see `Attention` for the arguments."""
        head = self._head(name, query.columns)
        names = (self._full(pattern), self._sentence(pattern))
        return self._append(Attention(*head, query, key, value, *names, scale, cap, window))

    def head(self, name: str, x: Operation, matrix: Weight) -> Operation:
        """A score per token of the vocabulary, from `matrix` [padded vocabulary, x.columns]."""
        head = self._head(name, matrix.shape[0])
        vocabulary, cap = self._config.vocabulary, self._config.logit_cap
        return self._append(Head(*head, x.output, matrix, vocabulary=vocabulary, cap=cap))

    def description(self, architecture: str) -> Description:
        """What was written down. Raises ValueError when it does not hang together."""
        sections = tuple(Section(title, block, tuple(operations)) for title, block, operations in self._sections)
        return Description(architecture, self._config, sections)

    def _append(self, operation: Operation) -> Operation:
        self._sections[-1][2].append(operation)
        return operation

    def _head(self, name: str, columns: int) -> tuple[str, int, str]:
        return self._full(name), columns, self._sentence(name)

    def _full(self, name: str) -> str:
        return name if self._block is None else block_name(self._block, name)

    def _sentence(self, name: str) -> str:
        return self._about[name] if self._block is None else f"Block {self._block}: {self._about[name]}"


def heads_of(x: Operation, heads: int) -> Heads:
    """The columns of `x` as heads side by side."""
    return Heads(x.output, heads, x.columns // heads)
