"""Edits in a few words: for titles of runs, marks and the list."""

from __future__ import annotations

from collections.abc import Sequence

from compute.edits.grammar import Edit, Range, parse_edit
from compute.edits.values import Number
from compute.errors import UsageError

_LONGEST = 48


def place_words(edit: Edit) -> str:
    """Where it applies: `L5H3` for a head, otherwise the tensor with its index."""
    parts = edit.target.split(".")
    heads = [part for part in edit.index if part.name == "head" and part.single]
    if len(edit.index) == 1 and heads and parts[0] == "h" and len(parts) > 1:
        return f"L{parts[1]}H{heads[0].first}"
    return edit.target if not edit.index else f"{edit.target}[{', '.join(map(_range, edit.index))}]"


def words(edit: Edit) -> str:
    """What it does and where, such as `zero L5H3` or `L5H3 x 0.5`."""
    place, value = place_words(edit), edit.value
    zero = isinstance(value, Number) and value.value == 0
    if zero and edit.op in ("=", "*="):
        return f"zero {place}"
    return {"=": f"{place} = {value}", "+=": f"{place} + {value}", "*=": f"{place} x {value}"}[edit.op]


def short_words(texts: Sequence[str]) -> str:
    """All edits of a list as a title; empty for none. Texts that cannot be parsed stand as they are."""
    if not texts:
        return ""
    try:
        first = words(parse_edit(texts[0]))
    except UsageError:
        first = texts[0]
    first = first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3]}..."
    return first if len(texts) == 1 else f"{first} and {len(texts) - 1} more"


def _range(part: Range) -> str:
    return str(part)
