"""Single values of a session file, checked: a damaged or made-up file may hold anything in any column."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from compute.config import ModelConfig
from compute.errors import UsageError
from compute.foreign_json import read_foreign_json
from compute.options import GenerateOptions

_LONGEST_JSON = 1 << 20
_LONGEST_LINE = 4096
_LARGEST = {"layers": 1024, "heads": 1024, "channels": 1 << 20, "positions": 1 << 24, "vocabulary": 1 << 24}


class Unsound(ValueError):
    """A value that no recording has."""


def integer(value: object, low: int = 0, high: int = 2**62) -> int:
    """A whole number from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise Unsound(f"a number that cannot be: {_shown(value)}")
    return value


def maybe_integer(value: object, low: int = 0, high: int = 2**62) -> int | None:
    """A whole number, or nothing."""
    return None if value is None else integer(value, low, high)


def real(value: object) -> float:
    """A number; what is not one was written as nothing."""
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise Unsound(f"no number: {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def text(value: object, longest: int = _LONGEST_LINE) -> str:
    """Text of up to `longest` characters."""
    if not isinstance(value, str) or len(value) > longest:
        raise Unsound(f"no text: {_shown(value)}")
    return value


def line(value: object) -> str:
    """Text without control characters, which could change the terminal it is printed on."""
    found = text(value)
    if not found.isprintable():
        raise Unsound(f"control characters: {_shown(value)}")
    return found


def printable(value: object) -> str:
    """What of a damaged line can be shown: it without control characters, nothing for what is no text."""
    found = value[:_LONGEST_LINE] if isinstance(value, str) else ""
    return "".join(filter(str.isprintable, found))


def blob(value: object, size: int | None = None) -> bytes:
    """Bytes, `size` of them."""
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise Unsound(f"not {size} bytes" if size is not None else "no bytes")
    return value


def mapping(value: object) -> dict[str, Any]:
    """An object of JSON."""
    try:
        found = read_foreign_json(text(value, _LONGEST_JSON))
    except ValueError:
        raise Unsound("no JSON") from None
    if not isinstance(found, dict):
        raise Unsound("no JSON object")
    return found


def array(value: object, dtype: np.dtype[Any], count: int) -> np.ndarray:
    """`count` elements of `dtype`, read only."""
    return np.frombuffer(blob(value, count * dtype.itemsize), dtype)


def tokens(value: object, vocabulary: int) -> tuple[int, ...]:
    """Token ids, at least one."""
    data = blob(value)
    if not data or len(data) % 4:
        raise Unsound("no token ids")
    ids = np.frombuffer(data, "<u4")
    if int(ids.max()) >= vocabulary:
        raise Unsound(f"token {ids.max()} of {vocabulary}")
    return tuple(ids.tolist())


def config(*values: object) -> ModelConfig:
    """The sizes of a model, in the order of `ModelConfig`."""
    names = ("layers", "heads", "channels", "positions", "vocabulary")
    sizes = [integer(value, 1, _LARGEST[name]) for name, value in zip(names, values[:5], strict=True)]
    padded = integer(values[5], sizes[4], 2 * _LARGEST["vocabulary"])
    layers, heads, channels, positions, vocabulary = sizes
    return ModelConfig(layers, heads, channels, positions, vocabulary, padded)


def options(value: object, sizes: ModelConfig) -> GenerateOptions:
    """The options of a generation, as checked as those of the command line."""
    found = mapping(value)
    known = {field.name: field.type for field in fields(GenerateOptions)}
    if found.keys() != known.keys():
        raise Unsound("other options than a generation has")
    for name, kind in known.items():
        if kind == "int":
            integer(found[name], 0, 2**32)
        else:
            found[name] = real(found[name])
    try:
        return GenerateOptions(**found).checked(sizes.positions, sizes.vocabulary)
    except UsageError as error:
        raise Unsound(str(error)) from None


def _shown(value: object) -> str:
    return repr(value)[:40]
