"""Edits whose values were taken from a pass, as edits that can be given again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compute.errors import UsageError

from .grammar import Edit, Range
from .resolved import ResolvedEdit
from .targets import Kind, Target
from .values import Array


def as_given(edit: ResolvedEdit) -> Edit:
    """The edit with its values as an array, whatever they came from."""
    selection, values = edit.selection, edit.values
    sizes = dict(zip(("rows", "outer", "inner"), values.shape, strict=True))
    shape: list[int] = []
    for names in selection.axes:
        if len(names) > 1 and {sizes[name] for name in names} != {1}:  # side by side: all or one
            counts = {name: max(sizes[name], getattr(selection, name).count() or 1) for name in names}
            sizes |= counts
        shape.append(int(np.prod([sizes[name] for name in names])))
    whole = np.broadcast_to(values, (sizes["rows"], sizes["outer"], sizes["inner"]))
    if edit.target.kind.of_attention and len(selection.axes) == 3:
        whole, shape = whole.transpose(1, 0, 2), [sizes["outer"], sizes["rows"], sizes["inner"]]
    array = np.array(whole.reshape(shape), np.float32)
    array.flags.writeable = False
    return replace(edit.edit, value=Array(array))


def bounded(edit: Edit, target: Target, first: int, end: int) -> Edit:
    """The edit at positions from `first` up to `end` only, where a pass has values.

    Raises `UsageError` for a weight.
    """
    if target.kind is Kind.WEIGHT:
        raise UsageError(f"edit {edit.shown}: a run has no weights; give a number or array for {target.name}")
    names = [axis.name for axis in target.axes]
    if edit.index and edit.index[0].name is not None:
        given = {str(part.name): part for part in edit.index}
        order = ["pos", "head", "key"]
        for name in ("pos", "key"):
            if name in names:
                given[name] = replace(_within(given.get(name, Range()), first, end), name=name)
        return replace(edit, index=tuple(given[name] for name in order if name in given))
    parts = [*edit.index, *[Range()] * (len(names) - len(edit.index))]
    parts = [
        _within(part, first, end) if name in ("pos", "key") else part for part, name in zip(parts, names, strict=True)
    ]
    while parts and parts[-1] == Range():
        parts.pop()
    return replace(edit, index=tuple(parts))


def _within(part: Range, first: int, end: int) -> Range:
    if part.single or (part.first or 0) < 0 or (part.end or 0) < 0:
        return part
    low = max(first, part.first or 0)
    return replace(part, first=low, end=max(low, end if part.end is None else min(end, part.end)))
