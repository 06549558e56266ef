"""Architectures for tests: one that differs from GPT-2 in every way, changed descriptions, and their registration."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from compute.models import architectures
from compute.models.architecture import Architecture, ConfigFields
from compute.models.builder import Builder
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.operations import Operation


def record(name: str, describe: Callable[[ModelConfig], Description]) -> Architecture:
    """An architecture without files."""
    fields = ConfigFields(classes=(name,))
    return Architecture(name, name, describe, model_types=(name,), fields=fields)


@contextmanager
def architecture(name: str, describe: Callable[[ModelConfig], Description]) -> Iterator[None]:
    """Register `describe` as `name`; afterwards there is no such architecture again."""
    architectures.register(record(name, describe))
    try:
        yield
    finally:
        del architectures._ARCHITECTURES[name]
        architectures.describe.cache_clear()


def bare(config: ModelConfig) -> Description:
    """No positions, no biases, ReLU, an untied head, and one norm for attention and MLP, whose results one sum adds."""
    c = config.channels
    about: dict[str, str] = collections.defaultdict(str)
    m = Builder(config, about)
    m.section("embedding")
    stream: Operation = m.gather("tokens", m.weight("table", config.padded_vocabulary, c), by="token")
    for block in range(config.layers):
        m.section(f"block {block}", block)
        pre = m.alias("pre", stream)
        x = m.layer_norm("ln", pre, bias=False)
        qkv = m.linear("qkv", x, "attn.qkv", 3 * c, bias=False)
        mixed = m.attention("mixed", qkv, heads=config.heads, pattern="pattern")
        attn = m.linear("attn", mixed, "attn.out", c, bias=False)
        hidden = m.activation("relu", m.linear("hidden", x, "mlp.in", 2 * c, bias=False), "relu")
        mlp = m.linear("mlp", hidden, "mlp.out", c, bias=False)
        stream = m.add("post", pre, attn, mlp)
    m.section("head")
    m.head("logits", m.layer_norm("ln_f", stream), m.weight("unembed", config.padded_vocabulary, c))
    return m.description("bare")


def without_attention(config: ModelConfig) -> Description:
    """Tokens, one MLP per block, and a head: no operation mixes tokens."""
    c, about = config.channels, collections.defaultdict[str, str](str)
    m = Builder(config, about)
    m.section("embedding")
    stream: Operation = m.gather("tokens", m.weight("table", config.padded_vocabulary, c), by="token")
    for block in range(config.layers):
        m.section(f"block {block}", block)
        hidden = m.activation("relu", m.linear("hidden", m.layer_norm("ln", stream), "mlp.in", 2 * c), "relu")
        stream = m.add("post", stream, m.linear("mlp", hidden, "mlp.out", c))
    m.section("head")
    m.head("logits", m.layer_norm("ln_f", stream), m.weight("unembed", config.padded_vocabulary, c))
    return m.description("no-attention")


def altered(description: Description, output: str, **fields: Any) -> Description:
    """`description` with other `fields` of the operation that writes `output`."""
    sections = []
    for section in description.sections:
        operations = [
            dataclasses.replace(operation, **fields) if operation.output == output else operation
            for operation in section.operations
        ]
        sections.append(dataclasses.replace(section, operations=tuple(operations)))
    return dataclasses.replace(description, sections=tuple(sections))


def inserted(description: Description, output: str, *operations: Operation) -> Description:
    """`description` with `operations` after the one that writes `output`."""
    sections = []
    for section in description.sections:
        made: list[Operation] = []
        for operation in section.operations:
            made += [operation, *(operations if operation.output == output else ())]
        sections.append(dataclasses.replace(section, operations=tuple(made)))
    return dataclasses.replace(description, sections=tuple(sections))
