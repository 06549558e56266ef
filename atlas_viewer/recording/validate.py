"""Checks for single values in a recording: a damaged or forged file may contain anything in any column."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, MsgspecError

from compute.edits.grammar import parse_edit
from compute.errors import UsageError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_untrusted_json
from compute.io.value_type import ValueType, shown, whole
from compute.models.architectures import one_block
from compute.models.config import ModelConfig
from compute.models.config_text import architecture_name, parse_config
from compute.sampling.options import GenerateOptions
from compute.sampling.options_json import options_from_json
from compute.weights.limits import unsupported_reason

LONGEST_TEXT = 1 << 26  # characters of a prompt
LONGEST_JSON = 1 << 24  # characters
_LONGEST_LINE = 4096
_LONGEST_TOKEN = 4096  # bytes
_LAST_SECOND = 1e12
_ROUNDING = 1e-3  # by how much a probability may exceed 1
_LARGEST = {"layers": 1024, "heads": 1024, "channels": 1 << 20, "positions": 1 << 24, "vocabulary": 1 << 24}
_LONGEST_NAME = 40  # characters of a name in a message
_LONGEST_REASON = 200  # characters

Check = Callable[[object], Any]


class Unsound(ValueError):
    """A value that cannot come from a recording. Its text is one line and says what is wrong."""


def _encodable(value: str) -> str:
    value.encode()  # a UnicodeEncodeError is a ValueError
    return value


def _line(value: str) -> str:
    # Control characters could affect the terminal on which the line is printed.
    if not value.isprintable():
        raise ValueError
    return value


def _text(longest: int) -> ValueType:
    return ValueType(
        Annotated[str, Meta(max_length=longest)], f"UTF-8 text of at most {longest} characters", _encodable
    )


def _nan_for_none(value: float | None) -> float:
    return math.nan if value is None else value  # SQLite stores NaN as NULL


text = _text(LONGEST_TEXT)
line = ValueType(
    Annotated[str, Meta(max_length=_LONGEST_LINE)],
    f"text of at most {_LONGEST_LINE} characters without control characters",
    _line,
)
switch = ValueType(Literal[0, 1], "0 or 1", bool)
real = ValueType(float | None, "a number", _nan_for_none)  # it may be infinite
seconds = ValueType(Annotated[float, Meta(ge=-_LAST_SECOND, le=_LAST_SECOND)], "a finite number of seconds")
share = ValueType(Annotated[float, Meta(ge=0, le=1 + _ROUNDING)] | None, "a number from 0 to 1", _nan_for_none)
blob = ValueType(bytes, "bytes")
token_text = ValueType(Annotated[bytes, Meta(max_length=_LONGEST_TOKEN)], f"at most {_LONGEST_TOKEN} bytes")
_json_text = _text(LONGEST_JSON)


def printable(value: object) -> str:
    """The printable characters of a damaged line; empty for a value that is not text."""
    found = value[:_LONGEST_LINE] if isinstance(value, str) else ""
    return "".join(filter(str.isprintable, found))


def readable(value: object) -> str:
    """The readable part of damaged text, with U+FFFD for each invalid byte; empty for a value that is not text."""
    found = value[:LONGEST_TEXT] if isinstance(value, str) else ""
    return found.encode(errors="surrogatepass").decode(errors="replace")


def mapping(value: object) -> dict[str, Any]:
    """A JSON object, whose values meet the guarantees of `read_untrusted_json`."""
    content = _json_text(value)
    try:
        found = read_untrusted_json(content)
    except ValueError as error:
        raise Unsound(f"is not usable JSON ({error})") from None
    if not isinstance(found, dict):
        raise Unsound(f"must be a JSON object, is {shown(value)}")
    return found


def lines(value: object) -> dict[str, str]:
    """A JSON object that maps names to lines."""
    found = {}
    for key, part in mapping(value).items():
        try:
            found[line(key)] = line(part)
        except ValueError as error:
            raise Unsound(f"{one_line(key[:_LONGEST_NAME])}: {error}") from None
    return found


def array(value: object, dtype: np.dtype[Any], count: int) -> np.ndarray:
    """An array of `count` elements of `dtype`, read-only."""
    data, size = blob(value), count * dtype.itemsize
    if len(data) != size:
        raise Unsound(f"must have {size} bytes, has {len(data)}")
    return np.frombuffer(data, dtype)


def tokens(value: object, vocabulary: int) -> tuple[int, ...]:
    """Token ids, at least one."""
    data = blob(value)
    if not data or len(data) % 4:
        raise Unsound(f"must have 4 bytes for each token, and at least one token, has {len(data)} bytes")
    ids = np.frombuffer(data, "<u4")
    if int(ids.max()) >= vocabulary:
        raise Unsound(f"must have tokens below {vocabulary}, has {ids.max()}")
    return tuple(ids.tolist())


def size(name: str) -> Check:
    """The check for the field `name` of `ModelConfig`."""
    return whole(1, 2 * _LARGEST["vocabulary"] if name == "padded_vocabulary" else _LARGEST[name])


def config(
    architecture: str, layers: int, heads: int, channels: int, positions: int, vocabulary: int, padded: int
) -> ModelConfig:
    """The sizes of a model, each already checked, if they are consistent. architecture: see `architecture_text`."""
    if padded < vocabulary:
        raise Unsound(f"padded_vocabulary {padded} must be at least the vocabulary, {vocabulary}")
    try:
        found = parse_config(architecture, layers, heads, channels, positions, vocabulary, padded)
    except (ValueError, MsgspecError) as error:
        raise Unsound(f"architecture: {one_line(str(error), 80)}") from None
    if not found.own_head_size and channels % heads:
        raise Unsound(f"channels {channels} must be a multiple of the heads, {heads}")
    if architecture != architecture_name(architecture):
        if problem := unsupported_reason(found):
            raise Unsound(problem)
        try:
            one_block(found)  # which needs fields that the architecture has
        except ValueError as error:
            raise Unsound(f"architecture: {one_line(str(error), 80)}") from None
    return found


def edit(value: object) -> str:
    """The text of an edit."""
    found = line(value)
    try:
        parse_edit(found)
    except UsageError as error:
        raise Unsound(str(error)[:_LONGEST_REASON]) from None
    return str(found)


def options(value: object, sizes: ModelConfig) -> GenerateOptions:
    """The options of a generation, checked like those on the command line."""
    found = mapping(value)
    if found.keys() != GenerateOptions().as_json().keys():
        raise Unsound(f"must have {', '.join(GenerateOptions().as_json())}")
    try:
        return options_from_json(found).checked(sizes.positions, sizes.vocabulary)
    except (ValueError, UsageError) as error:
        raise Unsound(str(error)[:_LONGEST_REASON]) from None
