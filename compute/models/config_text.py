"""A config as text: the architecture's name and, for models unlike GPT-2, the other fields as JSON, in one line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

from compute.io.untrusted_json import read_untrusted_json

from .config import ModelConfig, RopeConfig

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
    values = read_untrusted_json(others or "{}")
    if not isinstance(values, dict):
        raise ValueError("the architecture has no fields")
    fields = [field.name for field in dataclasses.fields(ModelConfig)]
    if not set(values) <= set(fields[_SIZES:]):
        raise ValueError("the architecture has unknown fields")
    known = dict(zip(fields[: _SIZES - 1], numbers, strict=True))
    config = msgspec.convert({**values, **known, "architecture": name}, ModelConfig)
    if max(config.own_head_size, config.own_kv_heads, config.own_neurons, config.window) > _LARGEST:
        raise ValueError("the architecture has sizes out of range")
    if min(config.own_head_size, config.own_kv_heads, config.own_neurons, config.window) < 0:
        raise ValueError("the architecture has sizes out of range")
    if config.epsilon < 0 or min(config.attention_cap, config.logit_cap) < 0:
        raise ValueError("the architecture has numbers out of range")
    if config.rope is not None:
        _check_rope(config.rope, config.head_size)
    return config


def _check_rope(rope: RopeConfig, head_size: int) -> None:
    """Raise ValueError for values from which no frequencies can be computed."""
    channels = rope.channels or head_size
    if not 0 < channels <= head_size or channels % 2:
        raise ValueError(f"rotary positions of {channels} of {head_size} channels")
    if not (rope.theta >= 1 and rope.linear > 0 and (rope.local_theta == 0 or rope.local_theta >= 1)):
        raise ValueError("rotary positions with numbers out of range")
    if rope.factors and (len(rope.factors) != channels // 2 or min(rope.factors) <= 0):
        raise ValueError(f"rotary positions of {channels} channels need {channels // 2} factors above 0")
    if (llama3 := rope.llama3) and not (llama3.factor >= 1 and llama3.high > llama3.low and llama3.positions > 0):
        raise ValueError("rotary positions stretched by numbers out of range")
