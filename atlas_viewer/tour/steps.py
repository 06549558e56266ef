"""Defines and checks what a line of a tour may contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from compute.io.escape import one_line
from compute.io.value_type import ValueType, one_of, whole

_MAX_FRAMES = 1_000_000
_LARGEST = 16384  # logical pixels
LONGEST_QUOTE = 200  # characters of a tour that a message quotes
BUTTONS = (1, 2, 3)
WAITS = ("done", "writing")


def checked(step: object) -> dict[str, Any]:
    """`step`, unchanged. Raises a ValueError that says what is wrong with it."""
    kinds = [kind for kind in _STEPS if isinstance(step, dict) and kind in step]
    if not isinstance(step, dict) or len(kinds) != 1:
        raise ValueError(f"must have one of {', '.join(sorted(_STEPS))}")
    needed, allowed = _STEPS[kinds[0]]
    for name, check in {**needed, **allowed}.items():
        if name in step:
            try:
                check(step[name])
            except ValueError as error:
                raise ValueError(f"{name!r} {error}") from None
        elif name in needed:
            raise ValueError(f"{kinds[0]!r} needs {name!r}, too")
    for name in step:
        if name not in needed and name not in allowed:
            raise ValueError(f"{kinds[0]!r} has no {one_line(repr(name), LONGEST_QUOTE)}")
    return step


def _printable_name(value: str) -> str:
    if not value.isprintable():
        raise ValueError
    return value


def _chord(value: str) -> str:
    from atlas_viewer.ui.shortcuts import parts  # here, because it needs imgui

    parts(value)
    return value


_Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
_Length = Annotated[float, Meta(ge=1, le=_LARGEST)]

_LABEL = ValueType(Annotated[str, Meta(min_length=1)], "text")
_TEXT = ValueType(str, "text")
_FRAMES = whole(0, _MAX_FRAMES)
_FLAG = ValueType(bool, "true or false")
_NUMBER = ValueType(_Number, f"a number from -{_LARGEST} to {_LARGEST}")
_PAIR = ValueType(tuple[_Number, _Number], f"two numbers in brackets, from -{_LARGEST} to {_LARGEST}")
_SIZE = ValueType(tuple[_Length, _Length], f"two numbers in brackets, a width and a height from 1 to {_LARGEST}")
_KEY = ValueType(str, "a key such as Up, with modifiers such as Ctrl+Shift+A", _chord)
_NAME = ValueType(
    Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\\]+$")],
    "the name of a picture, without a folder",
    _printable_name,
)

# Kind of step -> the fields that it needs, and those that it may also have.
_STEPS: Mapping[str, tuple[Mapping[str, ValueType], Mapping[str, ValueType]]] = {
    "wait": ({"wait": one_of(WAITS)}, {"steps": _FRAMES}),
    "frames": ({"frames": _FRAMES}, {}),
    "point": ({"point": _LABEL}, {}),
    "click": ({"click": _LABEL}, {"button": one_of(BUTTONS), "twice": _FLAG}),
    "drag": ({"drag": _LABEL, "by": _PAIR}, {}),
    "wheel": ({"wheel": _NUMBER, "at": _LABEL}, {}),
    "type": ({"type": _TEXT}, {}),
    "key": ({"key": _KEY}, {}),
    "resize": ({"resize": _SIZE}, {}),
    "picture": ({"picture": _NAME}, {}),
}
