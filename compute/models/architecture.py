"""An architecture: how its models are described, and how Hugging Face files of them are read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar

from .config import ModelConfig
from .description import Description

T = TypeVar("T")


class ConfigReader(Protocol):
    """The fields of a `config.json`, checked as they are read: a `CheckpointError` for values that cannot be.

    A field that is null counts as missing. default: for a missing field; None when there must be one.
    """

    def has(self, name: str) -> bool:
        """True when the field is there and not null."""

    def size(self, name: str, default: int | None) -> int:
        """A whole number of at least 1."""

    def number(self, name: str, default: float | None) -> float:
        """A finite number above 0."""

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names, () when it is missing."""

    def one_of(self, name: str, meanings: Mapping[object, T], default: object) -> T:
        """The meaning of the field's value, which must have one."""

    def refuse(self, name: str, supported: str) -> NoReturn:
        """Raise the error for a value that is not supported; supported: in words."""

    def part(self, name: str) -> ConfigReader | None:
        """The fields of a field that is an object; None when it is missing."""


def _nothing(read: ConfigReader) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, kw_only=True)
class ConfigFields:
    """The fields of `config.json`: the names of the sizes, and the values of others that the description covers.

    The defaults are the names that most architectures use.
    classes: names that the field `architectures` may list, the one to write first.
    computed: fields that change what the model computes, and their supported values. A missing field has the first of
    them, which is also the one to write.
    switches: such fields with their only supported value, which a missing field has; they are not written.
    multiples: optional fields that may be null or this many times the channels; they are not written.
    read: more fields of `ModelConfig` from the file.
    written: more fields to write.
    """

    classes: tuple[str, ...]
    layers: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    channels: str = "hidden_size"
    positions: str = "max_position_embeddings"
    vocabulary: str = "vocab_size"
    computed: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    switches: Mapping[str, object] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    read: Callable[[ConfigReader], Mapping[str, Any]] = _nothing
    written: Callable[[ModelConfig], Mapping[str, object]] = lambda config: {}


@dataclass(frozen=True)
class GgufFields:
    """How GGUF files store the architecture.

    architectures: values of `general.architecture`.
    fields: metadata keys without the architecture in front, by field of `ModelConfig`, or of its `RopeConfig` as
    `rope.theta`; a missing key leaves what `constants` says, or the default. Sizes that are as without the field (of
    heads, of rotated channels) become 0, as in a config from elsewhere. constants: fields that keys do not say, or
    only rarely.
    tensors: names in the file by ours, both without the block (`blk.N.` in the file).
    permuted: modules whose rows the file stores in another order: those of each head in pairs (0, D/2), (1, D/2 + 1),
    ..., for interleaved rotation, while ours begin with the first half. thirds: modules whose rows the file stores as
    all queries, all keys, all values, while ours have them head by head. offset: weights that the file stores plus 1.
    adjusted: the config, corrected for what files leave out.
    Whether the head is tied follows from whether there is a tensor for it; `rope_freqs.weight` has the factors of
    `RopeConfig.factors`.
    """

    architectures: tuple[str, ...]
    fields: Mapping[str, str]
    constants: Mapping[str, object]
    tensors: Mapping[str, str]
    permuted: tuple[str, ...] = ()
    thirds: tuple[str, ...] = ()
    offset: tuple[str, ...] = ()
    adjusted: Callable[[ModelConfig], ModelConfig] = lambda config: config


@dataclass(frozen=True)
class Architecture:
    """A family of models that differ in their sizes and values alone.

    name: as in `ModelConfig.architecture`; title: for messages, follows "a" and "of".
    model_types: values of `model_type` in `config.json`, the one to write first.
    prefixes: of all names in a safetensors file but that of the head, where it has any; writes_prefix: the first of
    them is written.
    masks: ends of the names of constants that a file may contain besides the parameters.
    head: name in a file of the head's matrix, also of a copy of the token embedding that serves as one.
    tokens: size of its tokenizer, None if any is possible. A larger vocabulary is padding.
    gguf: how GGUF files store it, None where they are not read.
    shapes: sizes of known models by name, for `random:NAME`.
    """

    name: str
    title: str
    describe: Callable[[ModelConfig], Description]
    model_types: tuple[str, ...]
    fields: ConfigFields
    prefixes: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    head: str = "lm_head.weight"
    tokens: int | None = None
    gguf: GgufFields | None = None
    writes_prefix: bool = False
    shapes: Mapping[str, ModelConfig] = field(default_factory=dict)
