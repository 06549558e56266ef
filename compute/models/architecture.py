"""An architecture: how its models are described, and how Hugging Face files of them are read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .config import ModelConfig
from .description import Description


@dataclass(frozen=True)
class ConfigFields:
    """The fields of `config.json`: the names of the sizes, and the values of others that the description covers.

    classes: names that the field `architectures` may list, the one to write first.
    computed: fields that change what the model computes, and their supported values. A missing field has the first of
    them, which is also the one to write.
    switches: such fields with their only supported value, which a missing field has; they are not written.
    multiples: optional fields that may be null or this many times the channels; they are not written.
    written: more fields to write, which are not read.
    """

    layers: str
    heads: str
    channels: str
    positions: str
    vocabulary: str
    classes: tuple[str, ...]
    computed: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    switches: Mapping[str, object] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    written: Callable[[ModelConfig], Mapping[str, object]] = lambda config: {}


@dataclass(frozen=True)
class Architecture:
    """A family of models that differ in their sizes and values alone.

    name: as in `ModelConfig.architecture`; title: for messages, follows "a" and "of".
    model_types: values of `model_type` in `config.json`, the one to write first.
    prefixes: of all names in a safetensors file but that of the head, where it has any.
    masks: ends of the names of constants that a file may contain besides the parameters.
    head: name in a file of the head's matrix, also of a copy of the token embedding that serves as one.
    tokens: size of its tokenizer, None if any is possible. A larger vocabulary is padding.
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
