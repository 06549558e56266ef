"""What a line of a tour may say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

# Each raises ValueError, whose text says what the value must be.
Check = Callable[[Any], object]

_MOST_FRAMES = 1_000_000
_LARGEST = 16384  # logical pixels
_LONGEST = 200  # characters of a tour that a message quotes
BUTTONS = (1, 2, 3)
WAITS = ("done", "writing")


def checked(step: object) -> dict[str, Any]:
    """`step` as it is. Raises ValueError, whose text says what is wrong with it."""
    kinds = [kind for kind in _STEPS if isinstance(step, dict) and kind in step]
    if not isinstance(step, dict) or len(kinds) != 1:
        raise ValueError(f"must have one of {', '.join(sorted(_STEPS))}")
    needed, allowed = _STEPS[kinds[0]]
    for name, check in {**needed, **allowed}.items():
        if name in step:
            try:
                check(step[name])
            except ValueError as error:
                raise ValueError(f"{name!r} must be {error}") from None
        elif name in needed:
            raise ValueError(f"{kinds[0]!r} needs {name!r}, too")
    for name in step:
        if name not in needed and name not in allowed:
            raise ValueError(f"{kinds[0]!r} has no {shortened(repr(name))}")
    return step


def shortened(text: str) -> str:
    """`text` of a tour for a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _label(value: Any) -> None:
    _text(value)
    if not value:
        raise ValueError("text")


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError("text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("text without halves of characters") from None


def _chord(value: Any) -> None:
    from atlas_viewer.ui.shortcuts import parts  # which asks imgui

    try:
        _text(value)
        parts(value)
    except ValueError:
        raise ValueError("a key such as Up, with modifiers such as Ctrl+Shift+A") from None


def _name(value: Any) -> None:
    _label(value)
    if not value.isprintable() or any(sign in value for sign in "/\\") or len(value) > 200:
        raise ValueError("the name of a picture, without a folder")


def _yes_or_no(value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError("true or false")


def _one_of(*known: object) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"one of {', '.join(map(str, known))}")

    return check


def _whole(value: Any) -> None:
    if type(value) is not int or not 0 <= value <= _MOST_FRAMES:
        raise ValueError(f"a whole number from 0 to {_MOST_FRAMES}")


def _number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number")
    if abs(value) > _LARGEST:
        raise ValueError(f"a number from -{_LARGEST} to {_LARGEST}")


def _pair(value: Any) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("two numbers in brackets")
    for part in value:
        _number(part)


def _size(value: Any) -> None:
    _pair(value)
    if min(value) < 1:
        raise ValueError("a width and a height from 1 on")


# Of each kind of step: what it needs and what it may have besides.
_STEPS: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "wait": ({"wait": _one_of(*WAITS)}, {"steps": _whole}),
    "frames": ({"frames": _whole}, {}),
    "point": ({"point": _label}, {}),
    "click": ({"click": _label}, {"button": _one_of(*BUTTONS), "twice": _yes_or_no}),
    "drag": ({"drag": _label, "by": _pair}, {}),
    "wheel": ({"wheel": _number, "at": _label}, {}),
    "type": ({"type": _text}, {}),
    "key": ({"key": _chord}, {}),
    "resize": ({"resize": _size}, {}),
    "picture": ({"picture": _name}, {}),
}
