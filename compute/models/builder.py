"""Writes a description down line by line: each call appends one operation and returns it, for later ones to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .config import ModelConfig
from .description import Description, Section
from .names import block_name
from .operations import Activation, Add, Alias, Attention, Gather, Head, LayerNorm, Linear, Operation, Weight


class Builder:
    """Collects the operations of a model, section by section.

    about: a sentence on each tensor, by its name without the block; a KeyError when one is missing. Names that are
    passed to the methods are without the block, too.
    """

    def __init__(self, config: ModelConfig, about: Mapping[str, str], *, input_major: bool = False) -> None:
        """input_major: Hugging Face files store the matrices of the blocks as [in, out]."""
        self._config = config
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
        return Weight(self._full(name), shape, self._sentence(name), input_major)

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

    def linear(self, name: str, x: Operation, module: str, columns: int, *, bias: bool = True) -> Operation:
        """`x` times the matrix `module`.weight [columns, x.columns], plus `module`.bias."""
        weight = self.weight(f"{module}.weight", columns, x.columns, input_major=self._input_major)
        shift = self.weight(f"{module}.bias", columns) if bias else None
        return self._append(Linear(*self._head(name, columns), x.output, weight, shift))

    def activation(self, name: str, x: Operation, function: Literal["gelu", "relu"]) -> Operation:
        """`function` of each value of `x`."""
        return self._append(Activation(*self._head(name, x.columns), x.output, function))

    def attention(self, name: str, qkv: Operation, *, heads: int, pattern: str) -> Operation:
        """Causal attention over `qkv`; the weights of it are called `pattern`."""
        head = self._head(name, qkv.columns // 3)
        return self._append(Attention(*head, qkv.output, heads, self._full(pattern), self._sentence(pattern)))

    def head(self, name: str, x: Operation, matrix: Weight) -> Operation:
        """A score per token of the vocabulary, from `matrix` [padded vocabulary, x.columns]."""
        head = self._head(name, matrix.shape[0])
        return self._append(Head(*head, x.output, matrix, vocabulary=self._config.vocabulary))

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
