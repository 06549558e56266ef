"""Edits at less or more than their full strength, written as edits that the grammar knows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from compute.errors import UsageError

from .grammar import Edit
from .values import Array, Number, Value


def with_strength(edit: Edit, strength: float) -> tuple[Edit, ...]:
    """Edits that take the values `strength` of the way from what they are to what `edit` makes of them.

    1 gives the edit itself and 0 none. `x = v` becomes `x *= 1 - s` and `x += s v`. Raises `UsageError` for -inf.
    """
    if strength == 1:
        return (edit,)
    if strength == 0:
        return ()
    value = edit.value
    if isinstance(value, Number) and not math.isfinite(value.value):
        raise UsageError(f"edit {edit.shown}: -inf is either on or off; it has no strength")
    if edit.op == "+=":
        return (replace(edit, value=_scaled(value, strength)),)
    if edit.op == "*=":
        return (replace(edit, value=_toward_one(edit, value, strength)),)
    rest = replace(edit, op="*=", value=Number(_short(1 - strength)))
    if isinstance(value, Number) and value.value == 0:
        return (rest,)
    # The mean over the prompt is taken of the values that the first edit leaves: the factor makes up for that.
    factor = strength / (1 - strength) if value.of_prompt else strength
    return rest, replace(edit, op="+=", value=_scaled(value, factor))


def _scaled(value: Value, factor: float) -> Value:
    if isinstance(value, Number):
        return Number(_short(value.value * factor))
    if isinstance(value, Array):
        return Array(np.asarray(value.values * np.float32(factor), np.float32))
    return replace(value, scale=_short(value.scale * factor))


def _toward_one(edit: Edit, value: Value, strength: float) -> Value:
    if isinstance(value, Number):
        return Number(_short(1 + strength * (value.value - 1)))
    if isinstance(value, Array):
        return Array(np.asarray(1 + np.float32(strength) * (value.values - 1), np.float32))
    raise UsageError(f"edit {edit.shown}: factors from a file have no strength")


def _short(number: float) -> float:
    """The number without the last digits, which arithmetic leaves: 0.3 instead of 0.30000000000000004."""
    return float(f"{number:.9g}")
