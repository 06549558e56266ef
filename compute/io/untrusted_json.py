"""JSON from untrusted sources."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

from .escape import one_line

_MAX_DEPTH = 64  # levels; the files that this program reads have five
_LARGEST = int(sys.float_info.max)
_LONGEST_PATH = 80  # characters of a path in a message


def read_untrusted_json(data: bytes | str) -> Any:
    """Decode the JSON `data`. Raises ValueError, whose text says why `data` cannot be used.

    In the result, every number is finite and within the range of a float64, every string can be encoded as UTF-8, and
    nothing is nested so deeply that a recursive walk could exhaust the stack.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if _depth_exceeds(value, _MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    problem = _problem([("", value)], "")
    if problem is not None:
        raise ValueError(problem)
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _problem(items: Iterable[tuple[Any, Any]], path: str) -> str | None:
    """The path of the first unusable value in `items` and the reason, or None. Items are pairs of name and value."""
    for name, value in items:
        kind = type(value)
        reason = None
        if kind is str:
            reason = None if _encodable(value) else "is text with half a character"
        elif kind is float:
            # Python's json accepts NaN and Infinity, and reads 1e400 as infinity.
            reason = None if math.isfinite(value) else "is not a finite number"
        elif kind is int:
            reason = None if -_LARGEST <= value <= _LARGEST else "is a number out of range"
        elif kind is list:
            problem = _problem(enumerate(value), _child_path(path, name))
            if problem is not None:
                return problem
        elif kind is dict:
            if not all(map(_encodable, value)):
                reason = "contains a name with half a character"
            else:
                problem = _problem(value.items(), _child_path(path, name))
                if problem is not None:
                    return problem
        if reason is not None:
            return f"{_shown(_child_path(path, name))} {reason}"
    return None


def _child_path(path: str, name: str | int) -> str:
    """The path of a value, such as `steps[3].text`."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _shown(path: str) -> str:
    text = one_line(path[:_LONGEST_PATH])
    return text or "it"


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
