"""`config.json` of a Hugging Face folder: reads the sizes of a model, and refuses models that cannot run here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json
from compute.io.value_type import ValueType, whole
from compute.models.architecture import Architecture
from compute.models.architectures import architecture_of, architectures, one_block
from compute.models.config import ModelConfig
from compute.text.vocabulary import LARGEST, added_tokens

from .limits import check_sizes

T = TypeVar("T")
_SIZE = whole(1, LARGEST)
_FLAG = ValueType(bool, "true or false")
_NAMES = ValueType(list[str] | None, "a list of names")
_OBJECT = ValueType(dict[str, Any], "an object")
_NUMBER = ValueType(Annotated[float, msgspec.Meta(gt=0, lt=1e30)], "a number above 0")
_LONGEST_VALUE, _LONGEST_TOKEN = 60, 40  # characters in a message
_MOST_TOKENS = 5  # in a message
_PADDING = (8, 16, 32, 64, 128)  # training programs round the vocabulary up to a multiple of one of these


def read_config(path: Path) -> tuple[ModelConfig, bool]:
    """Read the `config.json` at `path`: the sizes, and whether logits are computed with the token embedding.

    Raises `CheckpointError` for every model that cannot run here.
    """
    shown = one_line(path)
    with read_errors_as(CheckpointError, shown):
        text = path.read_bytes()
    try:
        values = read_untrusted_json(text)
    except ValueError as error:
        raise CheckpointError(f"{shown}: is not JSON ({one_line(str(error))}); fetch or copy it again") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{shown}: is not a JSON object; fetch or copy it again")
    read = _Fields(values, shown)
    architecture = _checked_architecture(read, shown)
    fields = architecture.fields
    rows = read.checked(fields.vocabulary, _SIZE)
    tokens = _tokens(architecture, rows, path.parent, shown)
    config = ModelConfig(
        layers=read.checked(fields.layers, _SIZE),
        heads=read.checked(fields.heads, _SIZE),
        channels=read.checked(fields.channels, _SIZE),
        positions=read.checked(fields.positions, _SIZE),
        vocabulary=tokens,
        padded_vocabulary=rows,
        architecture=architecture.name,
        **fields.read(read),
    )
    check_sizes(config, shown, "it")
    for name, factor in fields.multiples.items():
        if values.get(name) not in (None, factor * config.channels):
            product = f"{factor * config.channels} ({factor} times {fields.channels})"
            _refuse(shown, name, values[name], product)
    tied = read.checked("tie_word_embeddings", _FLAG, default=one_block(config).tied_head)
    return config, tied


def _tokens(architecture: Architecture, rows: int, folder: Path, shown: str) -> int:
    """The tokens of a model with `rows` rows in its token embedding: those past the tokenizer's belong to no token."""
    tokens = architecture.tokens
    if tokens is None or rows <= tokens:
        return rows
    ids = added_tokens(folder)
    added = _listed([token for token, id in ids.items() if id >= tokens])
    if added or rows not in {-(-tokens // step) * step for step in _PADDING}:
        raise CheckpointError(
            f"{shown}: has {rows} tokens, {rows - tokens} more than {architecture.title}"
            f"{f' ({added})' if added else ''}; models with added tokens cannot run here; use a model without them"
        )
    return tokens


def config_json(config: ModelConfig, dtype: str) -> dict[str, Any]:
    """The `config.json` of a model, without padding. dtype: that of its weights, "f32", "f16" or "bf16"."""
    architecture = architecture_of(config)
    fields = architecture.fields
    values = {
        **{name: supported[0] for name, supported in fields.computed.items()},
        fields.layers: config.layers,
        fields.heads: config.heads,
        fields.channels: config.channels,
        fields.positions: config.positions,
        fields.vocabulary: config.vocabulary,
        "tie_word_embeddings": one_block(config).tied_head,
        "torch_dtype": {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}[dtype],
        **fields.written(config),
    }
    return {
        "architectures": [fields.classes[0]],
        "model_type": architecture.model_types[0],
        **dict(sorted(values.items())),
    }


def _checked_architecture(read: _Fields, shown: str) -> Architecture:
    """The model's architecture. Refuses unknown ones, and variants that compute something else."""
    values, kind = read.values, read.values.get("model_type")
    found = next((known for known in architectures() if kind in known.model_types), None)
    if found is None:
        types = ", ".join(name for known in architectures() for name in known.model_types)
        titles = " or a ".join(known.title for known in architectures())
        raise CheckpointError(
            f"{shown}: is a model of type {_quoted(kind)}, but only {types} can run here; use a {titles}"
        )
    fields = found.fields
    others = [name for name in read.checked("architectures", _NAMES) or () if name not in fields.classes]
    if others:
        raise CheckpointError(
            f"{shown}: is for {_quoted(others[0])}, which has no language-model head; use a {fields.classes[0]}"
        )
    supported = {**fields.computed, **{name: (only,) for name, only in fields.switches.items()}}
    for name, allowed in supported.items():
        if values.get(name, allowed[0]) not in allowed:
            _refuse(shown, name, values[name], _quoted(allowed[0]))
    return found


def _refuse(shown: str, name: str, value: object, supported: str) -> NoReturn:
    raise CheckpointError(f"{shown}: {name} is {_quoted(value)}, but only {supported} is supported; use another model")


def _listed(tokens: list[str]) -> str:
    """The first tokens, shortened, for a message."""
    shown = [one_line(token, _LONGEST_TOKEN) for token in tokens[:_MOST_TOKENS]]
    return ", ".join(shown + ["..."] * (len(tokens) > _MOST_TOKENS))


class _Fields:
    """The fields of a config file; a `ConfigReader`. Raises `CheckpointError` for invalid values.

    inside: the names of the fields that these are a part of, with a dot after each.
    """

    def __init__(self, values: dict[str, Any], shown: str, inside: str = "") -> None:
        self.values, self._shown, self._inside = values, shown, inside

    def has(self, name: str) -> bool:
        """See `ConfigReader`, as for the other methods."""
        return self.values.get(name) is not None

    def size(self, name: str, default: int | None) -> int:
        """A whole number of at least 1."""
        return int(self._or_default(name, _SIZE, default))

    def number(self, name: str, default: float | None) -> float:
        """A finite number above 0."""
        return float(self._or_default(name, _NUMBER, default))

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        return bool(self._or_default(name, _FLAG, default))

    def names(self, name: str) -> tuple[str, ...]:
        """A list of names, () when it is missing."""
        return tuple(self.checked(name, _NAMES) or ())

    def one_of(self, name: str, meanings: Mapping[object, T], default: object) -> T:
        """The meaning of the field's value."""
        value = self.values[name] if self.has(name) else default
        if isinstance(value, list | dict) or value not in meanings:
            known = " or ".join(_quoted(one) for one in meanings)
            _refuse(self._shown, f"{self._inside}{name}", value, known)
        return meanings[value]

    def refuse(self, name: str, supported: str) -> NoReturn:
        """Raise the error for a value that is not supported."""
        _refuse(self._shown, f"{self._inside}{name}", self.values.get(name), supported)

    def part(self, name: str) -> _Fields | None:
        """The fields of a field that is an object."""
        if not self.has(name):
            return None
        return _Fields(self.checked(name, _OBJECT), self._shown, f"{self._inside}{name}.")

    def _or_default(self, name: str, kind: ValueType, default: object) -> Any:
        return self.checked(name, kind) if self.has(name) or default is None else default

    def checked(self, name: str, kind: ValueType, default: object = None) -> Any:
        """The value of a field, `default` if it is missing."""
        value = self.values.get(name, default)
        try:
            return kind(value)
        except ValueError:
            raise CheckpointError(
                f"{self._shown}: {self._inside}{name} is {_quoted(value)}, must be {kind.expected}; fetch or copy it"
                " again"
            ) from None


def _quoted(value: object) -> str:
    """A value in the file for a message: short, and on one line."""
    return one_line(value if isinstance(value, str) else json.dumps(value), _LONGEST_VALUE)
