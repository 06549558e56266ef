"""Mutations that keep an input close to its format: of bytes and of JSON values."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

_WIDTHS = "bBhHiIqQfd"
# Numbers at which arithmetic, indices and conversions break.
_NUMBERS: tuple[int | float, ...] = (
    0, 1, -1, 2, 3, 4, 7, 8, 16, 25, 64, 127, 128, 255, 256, 257, 1024, 4096, 50256, 50257, 50264, 65535, 65536,
    2**24, 2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30,
    10**400, 0.0, -0.0, 0.5, 1.5, -1.5, 1e-5, 1e-45, 1e-320, 1e38, 1e39, 1e308, -1e308,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
_TEXTS = (
    "", " ", "a", "0", "1", "null", "none", "\0", "\n", "\r\n", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x9b", "\u2028",
    "\u202e", "\ud800", "\udfff", "a\ud800b", "é", "e\u0301", "日本", "😀", "##", "###a", "%s%n", "{}", "../..", "/",
    "a" * 300, " " * 2000, "\ufeff", "\ufffd",
)  # fmt: skip


def change_bytes(data: bytes, chance: random.Random) -> bytes:
    """`data` with some bytes, a number or a block changed, moved, duplicated or removed."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.choice((1, 1, 2, 4, 8, 64, 512)))
        kind = chance.randrange(7)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at:end] = chance.randbytes(end - at)
        elif kind == 2:
            del changed[at:end]
        elif kind == 3:
            changed[at:at] = changed[at:end] * chance.choice((1, 1, 16))
        elif kind == 4:
            number = _packed(chance)
            changed[at : at + len(number)] = number
        elif kind == 5:
            other = chance.randrange(len(changed) + 1)
            changed[at:end] = changed[other : other + end - at]
        elif kind == 6 and chance.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def _packed(chance: random.Random) -> bytes:
    code = chance.choice(_WIDTHS)
    try:
        return struct.pack(chance.choice("<>") + code, chance.choice(_NUMBERS))
    except (struct.error, OverflowError):
        return chance.choice((b"\xff", b"\x00", b"\x80", b"\x7f")) * struct.calcsize(code)


def change_json(words: Sequence[str] = ()) -> Callable[[bytes, random.Random], bytes]:
    """A function that changes values and keys of JSON text, and occasionally its bytes. words: keys of the format."""

    def change(data: bytes, chance: random.Random) -> bytes:
        if chance.random() < 0.1:
            return change_bytes(data, chance)
        try:
            value = json.loads(data)
            for _ in range(chance.choice((1, 1, 2, 3))):
                value = change_value(value, chance, words)
            return json.dumps(value).encode()
        except (ValueError, OverflowError, RecursionError):  # it is no longer JSON, or cannot be written as JSON
            return change_bytes(data, chance)

    return change


def change_lines(change: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """A function that changes one line with `change`, or removes, duplicates or moves one."""

    def changed(data: bytes, chance: random.Random) -> bytes:
        lines = data.split(b"\n")
        at = chance.randrange(len(lines))
        kind = chance.randrange(8)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(chance.randrange(len(lines) + 1), lines[at])
        elif kind == 2:
            lines.insert(chance.randrange(len(lines)), lines.pop(at))
        else:
            lines[at] = change(lines[at], chance)
        return b"\n".join(lines)

    return changed


def change_value(value: Any, chance: random.Random, words: Sequence[str] = ()) -> Any:
    """A copy of a JSON value with one of its nodes changed."""
    holder = [copy.deepcopy(value)]
    places = _places(holder)
    where, key = chance.choice(places)
    inner, kind = where[key], chance.randrange(10)
    if isinstance(where, dict) and kind == 0:
        del where[key]
    elif isinstance(where, dict) and kind == 1:
        where[chance.choice([*words, *map(str, where), *_TEXTS])] = where.pop(key)
    elif isinstance(inner, dict) and kind < 5 and words:
        inner[chance.choice(words)] = fresh_value(chance, words)
    elif isinstance(inner, list) and kind < 5:
        at = chance.randrange(len(inner) + 1)
        inner[at:at] = [chance.choice(inner)] if inner and chance.random() < 0.5 else [fresh_value(chance, words)]
    elif isinstance(where, list) and where is not holder and kind == 5:
        del where[key]
    elif kind == 6:
        where[key] = copy.deepcopy(chance.choice(places)[0])
    elif kind == 7:
        where[key] = _near(inner, chance)
    else:
        where[key] = fresh_value(chance, words)
    return holder[0]


def fresh_value(chance: random.Random, words: Sequence[str] = ()) -> Any:
    """A value of any type, preferably one that is likely to break something."""
    kind = chance.randrange(12)
    if kind < 5:
        return chance.choice(_NUMBERS)
    if kind < 9:
        return chance.choice([*_TEXTS, *words])
    if kind == 9:
        return chance.choice((None, True, False))
    if kind == 10:
        return [fresh_value(chance, words) for _ in range(chance.choice((0, 1, 2, 3)))]
    return {chance.choice([*_TEXTS, *words]): fresh_value(chance, words) for _ in range(chance.choice((0, 1, 2)))}


def _near(value: Any, chance: random.Random) -> Any:
    """A value close to the given one."""
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return value[:at] + chance.choice(_TEXTS) + value[at + chance.randrange(2) :]
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 2**31, -value, -2 * value))
    if isinstance(value, float):
        return value * chance.choice((-1, 0, 1e30, 1e-30))
    return [value]


def _places(holder: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of every node."""
    found: list[tuple[Any, Any]] = []
    waiting = [holder]
    while waiting:
        whole = waiting.pop()
        for key, part in list(whole.items() if isinstance(whole, dict) else enumerate(whole)):
            found.append((whole, key))
            if isinstance(part, dict | list):
                waiting.append(part)
    return found
