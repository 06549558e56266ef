"""Types of single values in external data: msgspec checks type and range, and each type has a description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

_SHOWN = 40  # characters of a value in a message


@dataclass(frozen=True)
class ValueType:
    """A type with its description for error messages.

    type: the type for msgspec, which checks it strictly: an int is accepted as a float, and nothing else is converted.
    expected: the description; follows "must be" in a message.
    refine: turns the converted value into the result, or raises ValueError.
    """

    type: Any
    expected: str
    refine: Callable[[Any], Any] | None = None

    def __call__(self, value: object) -> Any:
        """Convert `value`. Raises ValueError, whose one-line text says what the value must be and what it is."""
        try:
            # Without `builtin_types`, msgspec would decode text as base64.
            converted = msgspec.convert(value, self.type, builtin_types=(bytes,))
            return converted if self.refine is None else self.refine(converted)
        except (msgspec.ValidationError, ValueError):
            raise ValueError(f"must be {self.expected}, is {shown(value)}") from None


def whole(low: int, high: int) -> ValueType:
    """A whole number from `low` to `high`."""
    return ValueType(Annotated[int, msgspec.Meta(ge=low, le=high)], f"a whole number from {low} to {high}")


def one_of(known: Sequence[str | int]) -> ValueType:
    """One of several texts or whole numbers."""
    return ValueType(Literal[tuple(known)], f"one of {', '.join(map(str, known))}")


def optional(kind: ValueType) -> ValueType:
    """A value that `kind` accepts, or None."""
    refine = kind.refine
    return ValueType(
        kind.type | None,
        f"{kind.expected}, or missing",
        None if refine is None else lambda value: None if value is None else refine(value),
    )


def shown(value: object) -> str:
    """A short, one-line form of a value for a message."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None:
        return "missing"
    # Long text is cut before it is quoted.
    return repr(value[:_SHOWN] if isinstance(value, str) else value)[:_SHOWN]
