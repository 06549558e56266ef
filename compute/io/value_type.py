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

    type: as msgspec takes it, which is strict: an int passes as a float, and nothing else is converted.
    expected: the description; follows "must be" in a message.
    refine: makes the result from the converted value, or raises ValueError.
    """

    type: Any
    expected: str
    refine: Callable[[Any], Any] | None = None

    def __call__(self, value: object) -> Any:
        """The converted value. Raises ValueError, whose text says on one line what it must be and what it is."""
        try:
            # Without `builtin_types`, msgspec would decode text as base64.
            found = msgspec.convert(value, self.type, builtin_types=(bytes,))
            return found if self.refine is None else self.refine(found)
        except (msgspec.ValidationError, ValueError):
            raise ValueError(f"must be {self.expected}, is {shown(value)}") from None


def whole(low: int, high: int) -> ValueType:
    """A whole number from `low` to `high`."""
    return ValueType(Annotated[int, msgspec.Meta(ge=low, le=high)], f"a whole number from {low} to {high}")


def one_of(known: Sequence[str | int]) -> ValueType:
    """One of several texts or whole numbers."""
    return ValueType(Literal[tuple(known)], f"one of {', '.join(map(str, known))}")


def optional(kind: ValueType) -> ValueType:
    """A value that `kind` takes, or None."""
    refine = kind.refine
    return ValueType(
        kind.type | None,
        f"{kind.expected}, or missing",
        None if refine is None else lambda value: None if value is None else refine(value),
    )


def shown(value: object) -> str:
    """A value for a message: short and on one line."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None:
        return "missing"
    # A long text is cut before it is quoted.
    return repr(value[:_SHOWN] if isinstance(value, str) else value)[:_SHOWN]
