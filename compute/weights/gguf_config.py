"""The config of a model from the metadata of its GGUF file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.models.architecture import Architecture, GgufFields
from compute.models.architectures import architectures, one_block
from compute.models.config import ModelConfig, RopeConfig
from compute.text.vocabulary import LARGEST

from .gguf_file import GgufFile
from .gguf_header import Strings, Value
from .limits import check_sizes

ROPE_FACTORS = "rope_freqs.weight"
"""The tensor with the factors of rotary frequencies, where they are not the same for all."""

_LONGEST = 60  # characters of a value in a message
_NUMBERS = {"epsilon", "rope.theta", "rope.local_theta", "rope.linear", "attention_scale", "attention_cap", "logit_cap"}
_OPTIONAL = {"window"}  # may be 0
_FLAGS = {"parallel"}
_ROPE = "rope."  # before the fields of `RopeConfig`
_REQUIRED = {"layers", "heads", "channels", "positions"}
_LINEAR, _NO_SCALING = "linear", "none"


def architecture_in(file: GgufFile, shown: str) -> tuple[Architecture, GgufFields]:
    """The architecture of a file, and how files store it. Raises `CheckpointError` for unknown ones."""
    known = [(found, found.gguf) for found in architectures() if found.gguf is not None]
    name = file.metadata.get("general.architecture")
    for architecture, gguf in known:
        if name in gguf.architectures:
            return architecture, gguf
    names = ", ".join(name for _, gguf in known for name in gguf.architectures)
    raise CheckpointError(
        f"{shown}: is a model of architecture {_quoted(name)}, but only {names} can run here; use another model"
    )


def read_metadata(file: GgufFile, architecture: Architecture, gguf: GgufFields, shown: str) -> ModelConfig:
    """The config of the model in `file`. Raises `CheckpointError` for every model that cannot run here."""
    read = _Metadata(file, str(file.metadata["general.architecture"]), shown)
    found: dict[str, Any] = dict(gguf.constants)
    for field, key in gguf.fields.items():
        value = read.field(field, key)
        if value is not None:
            found[field] = value
        elif field in _REQUIRED:
            raise CheckpointError(f"{shown}: {read.name(key)} is missing; use a complete file")
    values = {field: value for field, value in found.items() if not field.startswith(_ROPE)}
    rope = {field.removeprefix(_ROPE): value for field, value in found.items() if field.startswith(_ROPE)}
    rows = file.tensors.get(gguf.tensors[_token_table(gguf)])
    if rows is None:
        raise CheckpointError(f"{shown}: {gguf.tensors[_token_table(gguf)]} is missing; use a complete file")
    values["padded_vocabulary"], values["vocabulary"] = rows.shape[0], read.tokens(rows.shape[0])
    heads, channels = values["heads"], values["channels"]
    check_sizes(_plain(values, architecture.name), shown, "it")
    size = values.get("own_head_size", channels // heads)
    if read.size("attention.value_length") not in (None, size):
        raise read.unsupported("attention.value_length", str(size))
    _drop_defaults(values, {"own_head_size": channels // heads, "own_kv_heads": heads})
    if rope or any(field.startswith(_ROPE) for field in gguf.fields):
        values["rope"] = _rope(read, rope, size)
        # Of the architectures with rotary positions some have biases, and no key says so.
        for field, module in (("attention_bias", "attn_output.bias"), ("mlp_bias", "ffn_gate.bias")):
            values.setdefault(field, f"blk.0.{module}" in file.tensors)
    if architecture.head in gguf.tensors:
        values["tied"] = gguf.tensors[architecture.head] not in file.tensors
    config = gguf.adjusted(ModelConfig(architecture=architecture.name, **values))
    for operation in one_block(config).operations():
        only = getattr(operation, "epsilon", config.epsilon)
        if only != config.epsilon:  # the description does not take it from the config
            raise read.unsupported(gguf.fields["epsilon"], f"{only:g}")
    return config


def _token_table(gguf: GgufFields) -> str:
    """Our name of the token embedding."""
    return next(ours for ours, stored in gguf.tensors.items() if stored == "token_embd.weight")


def _plain(values: Mapping[str, Any], architecture: str) -> ModelConfig:
    """The sizes alone, to check them before anything is computed from them."""
    names = ("layers", "heads", "channels", "positions", "vocabulary", "padded_vocabulary", "own_head_size")
    return ModelConfig(architecture=architecture, **{name: values[name] for name in names if name in values})


def _drop_defaults(values: dict[str, Any], defaults: Mapping[str, int]) -> None:
    """Remove sizes that are what 0 stands for, so that configs of equal models are equal."""
    for name, default in defaults.items():
        if values.get(name) == default:
            del values[name]


def _rope(read: _Metadata, values: dict[str, Any], head_size: int) -> RopeConfig:
    """The rotary positions."""
    kind = read.file.metadata.get(read.name("rope.scaling.type"), _LINEAR)
    if kind == _NO_SCALING:
        values.pop("linear", None)
    elif kind != _LINEAR:
        raise read.unsupported("rope.scaling.type", f"{_NO_SCALING} and {_LINEAR}")
    if values.get("channels") == head_size:
        del values["channels"]
    factors = read.file.tensors.get(ROPE_FACTORS)
    if factors is not None:
        pairs = values.get("channels", head_size) // 2
        if factors.dtype != "f32" or factors.shape != (pairs,):
            raise CheckpointError(
                f"{read.shown}: {ROPE_FACTORS} is {factors.dtype} of shape {list(factors.shape)}, must be f32 of"
                f" [{pairs}]; use a file that matches its metadata"
            )
        numbers = np.array(read.file.tensor(ROPE_FACTORS), np.float64)
        if not (np.isfinite(numbers) & (numbers > 0)).all():
            raise CheckpointError(f"{read.shown}: {ROPE_FACTORS} has factors that are not above 0; fetch it again")
        values["factors"] = tuple(numbers.tolist())
    known = {field.name for field in dataclasses.fields(RopeConfig)}
    return RopeConfig(**{name: value for name, value in values.items() if name in known})


class _Metadata:
    """The fields of an architecture. Checks types and ranges; raises `CheckpointError` for invalid values."""

    def __init__(self, file: GgufFile, architecture: str, shown: str) -> None:
        self.file, self.shown = file, shown
        self._prefix = architecture

    def name(self, key: str) -> str:
        """The whole name of a key."""
        return f"{self._prefix}.{key}"

    def field(self, field: str, key: str) -> int | float | bool | None:
        """The value of a field of `ModelConfig`; None when it is missing."""
        if field in _FLAGS:
            value = self._value(key)
            if value is not None and not isinstance(value, bool):
                raise self._wrong(key, value, "true or false")
            return value
        return self.number(key) if field in _NUMBERS else self.size(key, least=0 if field in _OPTIONAL else 1)

    def size(self, key: str, least: int = 1) -> int | None:
        """A whole number from `least` on; None when it is missing. A list, a number per layer, must be all equal."""
        value = self._value(key)
        if isinstance(value, np.ndarray) and value.size and (value == value[0]).all():
            value = value[0].item()
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            raise self._wrong(key, value, f"a whole number from {least} on, the same for all layers")
        return value

    def number(self, key: str) -> float | None:
        """A finite number above 0; None when it is missing."""
        value = self._value(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self._wrong(key, value, "a finite number above 0")
        # The shortest decimal of the float32 in the file: 1e-05 as in the model's config.json, not 9.999999747e-06.
        return float(str(np.float32(value)))

    def tokens(self, rows: int) -> int:
        """The tokens of a model with `rows` rows in its token embedding: those past the vocabulary's belong to none."""
        words = self.file.metadata.get("tokenizer.ggml.tokens")
        if words is None:
            return rows
        if not isinstance(words, Strings) or not 1 <= len(words) <= rows:
            count = len(words) if isinstance(words, Strings) else "no list of"
            raise CheckpointError(
                f"{self.shown}: has {count} tokens, but an embedding for {rows}; use another copy of the model"
            )
        return len(words)

    def unsupported(self, key: str, supported: str) -> CheckpointError:
        """The error for a value that is valid and cannot run here."""
        return CheckpointError(
            f"{self.shown}: {self.name(key)} is {_quoted(self._value(key))}, but only {supported} can run here; use"
            " another model"
        )

    def _value(self, key: str) -> Value | None:
        return self.file.metadata.get(self.name(key))

    def _wrong(self, key: str, value: object, expected: str) -> CheckpointError:
        return CheckpointError(
            f"{self.shown}: {self.name(key)} is {_quoted(value)}, must be {expected}; fetch or copy it again"
        )


def _quoted(value: object) -> str:
    """A value of the metadata for a message: short, and on one line."""
    return one_line("missing" if value is None else str(value), _LONGEST).replace("\n", " ")
