"""A config as text: the architecture's name and, for models unlike GPT-2, the other fields as JSON, in one line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

from .config import ModelConfig

_SIZES = 7  # fields that are not in the text: sizes that every model has, and the name of the architecture
_LARGEST = 1 << 24
_LONGEST = 10_000  # characters


def details(config: ModelConfig) -> dict[str, Any]:
    """The fields with other values than GPT-2's, besides the sizes that every model has, as for JSON."""
    values = dataclasses.asdict(config)
    fields = dataclasses.fields(config)[_SIZES:]
    return {one.name: values[one.name] for one in fields if getattr(config, one.name) != one.default}


def sizes(config: ModelConfig) -> dict[str, Any]:
    """The sizes that every model has, and the name of the architecture, by field."""
    return {one.name: getattr(config, one.name) for one in dataclasses.fields(config)[:_SIZES]}


def architecture_text(config: ModelConfig) -> str:
    """`gpt2`, or `llama {"own_kv_heads": 3, ...}` with the `details`."""
    others = details(config)
    return f"{config.architecture} {json.dumps(others)}" if others else config.architecture


def architecture_name(text: str) -> str:
    """The name of the architecture in a text that `architecture_text` has made."""
    return text.partition(" {")[0]


def parse_config(text: str, *numbers: int) -> ModelConfig:
    """The config of a text from outside, and its sizes in the order of the fields. Raises ValueError.

    Says nothing of whether an architecture can be described with these values.
    """
    name = architecture_name(text)
    others = text[len(name) + 1 :]
    if len(others) > _LONGEST:
        raise ValueError("the architecture is too long")
    values = msgspec.json.decode(others or "{}", type=dict[str, Any])
    fields = [field.name for field in dataclasses.fields(ModelConfig)]
    if not set(values) <= set(fields[_SIZES:]):
        raise ValueError("the architecture has unknown fields")
    known = dict(zip(fields[: _SIZES - 1], numbers, strict=True))
    config = msgspec.convert({**values, **known, "architecture": name}, ModelConfig)
    if max(config.own_head_size, config.own_kv_heads, config.own_neurons, config.window) > _LARGEST:
        raise ValueError("the architecture has sizes out of range")
    if min(config.own_head_size, config.own_kv_heads, config.own_neurons, config.window) < 0:
        raise ValueError("the architecture has sizes out of range")
    return config
