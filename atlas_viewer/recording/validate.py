"""Single values of a session file, checked: a damaged or made-up file may hold anything in any column."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from compute.errors import UsageError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_foreign_json
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions

LONGEST_TEXT = 1 << 26  # characters of a prompt
LONGEST_JSON = 1 << 24  # characters
_LONGEST_LINE = 4096
_LONGEST_TOKEN = 4096  # bytes
_LAST_SECOND = 1e12
_ROUNDING = 1e-3  # by which a probability may be above 1
_LARGEST_TOKEN = 2**32 - 1
_LARGEST = {"layers": 1024, "heads": 1024, "channels": 1 << 20, "positions": 1 << 24, "vocabulary": 1 << 24}
_SHOWN = 40  # characters of a value in a message

Check = Callable[[object], Any]


class Unsound(ValueError):
    """A value that no recording has. Its text is one line and says what is wrong."""


def integer(value: object, low: int = 0, high: int = 2**62) -> int:
    """A whole number from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise Unsound(f"must be a whole number from {low} to {high}, is {shown(value)}")
    return value


def whole(low: int, high: int) -> Check:
    """The check for a whole number from `low` to `high`."""
    return lambda value: integer(value, low, high)


def optional(check: Check) -> Check:
    """The check for what `check` takes, or nothing."""
    return lambda value: None if value is None else check(value)


def switch(value: object) -> bool:
    """A whole number, 0 or 1, as yes or no."""
    return bool(integer(value, 0, 1))


def real(value: object) -> float:
    """A number, infinity among them; NaN where the file has nothing, because SQLite stores NaN like that."""
    if value is None:
        return math.nan
    if type(value) is not float and type(value) is not int:
        raise Unsound(f"must be a number, is {shown(value)}")
    return float(value)  # SQLite's whole numbers have 64 bits


def seconds(value: object) -> float:
    """A time of the session, in seconds: a finite number."""
    found = real(value)
    if not -_LAST_SECOND <= found <= _LAST_SECOND:
        raise Unsound(f"must be a finite number of seconds, is {shown(value)}")
    return found


def share(value: object) -> float:
    """A probability, or NaN."""
    found = real(value)
    if not (math.isnan(found) or 0 <= found <= 1 + _ROUNDING):
        raise Unsound(f"must be from 0 to 1, is {shown(value)}")
    return found


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Text of up to `longest` characters that can be encoded."""
    if not isinstance(value, str):
        raise Unsound(f"must be text, is {shown(value)}")
    if len(value) > longest:
        raise Unsound(f"must be text of at most {longest} characters, has {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unsound("is no UTF-8 text") from None
    return value


def line(value: object) -> str:
    """Text without control characters, which could change the terminal it is printed on."""
    found = text(value, _LONGEST_LINE)
    if not found.isprintable():
        raise Unsound(f"must be text without control characters, is {shown(value)}")
    return found


def one_of(known: Sequence[str]) -> Check:
    """The check for one of the texts `known`."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise Unsound(f"must be one of {', '.join(known)}, is {shown(value)}")
        return value

    return check


def printable(value: object) -> str:
    """What of a damaged line can be shown: it without control characters, nothing for what is no text."""
    found = value[:_LONGEST_LINE] if isinstance(value, str) else ""
    return "".join(filter(str.isprintable, found))


def readable(value: object) -> str:
    """What of damaged text can be read: U+FFFD for each byte that belongs to no character, nothing for no text."""
    found = value[:LONGEST_TEXT] if isinstance(value, str) else ""
    return found.encode(errors="surrogatepass").decode(errors="replace")


def blob(value: object, size: int | None = None) -> bytes:
    """Bytes, `size` of them."""
    if not isinstance(value, bytes):
        raise Unsound(f"must be bytes, is {shown(value)}")
    if size is not None and len(value) != size:
        raise Unsound(f"must have {size} bytes, has {len(value)}")
    return value


def token_text(value: object) -> bytes:
    """The bytes of one token."""
    found = blob(value)
    if len(found) > _LONGEST_TOKEN:
        raise Unsound(f"must have at most {_LONGEST_TOKEN} bytes, has {len(found)}")
    return found


def mapping(value: object) -> dict[str, Any]:
    """An object of JSON; what it holds is as `read_foreign_json` has it."""
    try:
        found = read_foreign_json(text(value, LONGEST_JSON))
    except Unsound:
        raise
    except ValueError as error:
        raise Unsound(f"is no JSON that can be used ({error})") from None
    if not isinstance(found, dict):
        raise Unsound(f"must be an object of JSON, is {shown(value)}")
    return found


def lines(value: object) -> dict[str, str]:
    """An object of JSON of lines by name."""
    found = {}
    for key, part in mapping(value).items():
        try:
            found[line(key)] = line(part)
        except Unsound as error:
            raise Unsound(f"{one_line(key[:_SHOWN])}: {error}") from None
    return found


def array(value: object, dtype: np.dtype[Any], count: int) -> np.ndarray:
    """`count` elements of `dtype`, read only."""
    return np.frombuffer(blob(value, count * dtype.itemsize), dtype)


def tokens(value: object, vocabulary: int) -> tuple[int, ...]:
    """Token ids, at least one."""
    data = blob(value)
    if not data or len(data) % 4:
        raise Unsound(f"must have 4 bytes for each of one or more tokens, has {len(data)}")
    ids = np.frombuffer(data, "<u4")
    if int(ids.max()) >= vocabulary:
        raise Unsound(f"must have tokens below {vocabulary}, has {ids.max()}")
    return tuple(ids.tolist())


def size(name: str) -> Check:
    """The check for the size of a model that `ModelConfig` calls `name`."""
    return whole(1, 2 * _LARGEST["vocabulary"] if name == "padded_vocabulary" else _LARGEST[name])


def config(layers: int, heads: int, channels: int, positions: int, vocabulary: int, padded: int) -> ModelConfig:
    """The sizes of a model, each of which is checked, held against each other."""
    if padded < vocabulary:
        raise Unsound(f"padded_vocabulary {padded} must be at least the vocabulary, {vocabulary}")
    if channels % heads:
        raise Unsound(f"channels {channels} must be a multiple of the heads, {heads}")
    return ModelConfig(layers, heads, channels, positions, vocabulary, padded)


def options(value: object, sizes: ModelConfig) -> GenerateOptions:
    """The options of a generation, as checked as those of the command line."""
    found = mapping(value)
    known = {field.name: field.type for field in fields(GenerateOptions)}
    if found.keys() != known.keys():
        raise Unsound(f"must have {', '.join(known)}")
    for name, kind in known.items():
        try:
            found[name] = integer(found[name], 0, _LARGEST_TOKEN) if kind == "int" else _finite(found[name])
        except Unsound as error:
            raise Unsound(f"{name} {error}") from None
    try:
        return GenerateOptions(**found).checked(sizes.positions, sizes.vocabulary)
    except UsageError as error:
        raise Unsound(str(error)) from None


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unsound(f"must be a number, is {shown(value)}")
    return float(value)


def shown(value: object) -> str:
    """A value for a message: short and on one line."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None:
        return "missing"
    # A long text is cut before it is spelled out.
    return repr(value[:_SHOWN] if isinstance(value, str) else value)[:_SHOWN]
