"""JSON that comes from elsewhere."""

from __future__ import annotations

import json
from typing import Any

_DEEPEST = 64  # levels; what this program reads has five


def read_foreign_json(data: bytes | str) -> Any:
    """The value that `data` is the JSON of. Raises ValueError, whose text says why it is none that can be used.

    What is nested so deeply that a walk over it could exhaust the stack is none either.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if _depth_exceeds(value, _DEEPEST):
        raise ValueError("it is nested too deeply")
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
