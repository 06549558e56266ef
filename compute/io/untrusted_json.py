"""JSON that comes from elsewhere."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

from .escape import one_line

_DEEPEST = 64  # levels; what this program reads has five
_LARGEST = int(sys.float_info.max)
_LONGEST_PLACE = 80  # characters of the place that a message names


def read_untrusted_json(data: bytes | str) -> Any:
    """The value that `data` is the JSON of. Raises ValueError, whose text says why it is none that can be used.

    Every number in it is finite and within the range of a float64, every text can be encoded as UTF-8, and nothing is
    nested so deeply that a walk over it could exhaust the stack.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if _depth_exceeds(value, _DEEPEST):
        raise ValueError("it is nested too deeply")
    fault = _fault([("", value)], "")
    if fault is not None:
        raise ValueError(fault)
    return value


def _depth_exceeds(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _fault(parts: Iterable[tuple[Any, Any]], place: str) -> str | None:
    """What is wrong with the first unusable value among `parts`, pairs of a name and a value, and where it is."""
    for name, value in parts:
        kind = type(value)
        reason = None
        if kind is str:
            reason = None if _encodable(value) else "is text with half of a character"
        elif kind is float:
            # Python's own reader takes NaN and Infinity, and makes 1e400 infinite.
            reason = None if math.isfinite(value) else "is no finite number"
        elif kind is int:
            reason = None if -_LARGEST <= value <= _LARGEST else "is a number out of range"
        elif kind is list:
            found = _fault(enumerate(value), _inside(place, name))
            if found is not None:
                return found
        elif kind is dict:
            if not all(map(_encodable, value)):
                reason = "has a name with half of a character"
            else:
                found = _fault(value.items(), _inside(place, name))
                if found is not None:
                    return found
        if reason is not None:
            return f"{_shown(_inside(place, name))} {reason}"
    return None


def _inside(place: str, name: str | int) -> str:
    """The place of a part: `steps[3].text`."""
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if place else name


def _shown(place: str) -> str:
    text = one_line(place[:_LONGEST_PLACE])
    return text or "it"


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
