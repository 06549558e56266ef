"""Which values of a tensor an edit selects: its index, with positions counted in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compute.errors import UsageError

from .grammar import Edit, Range
from .targets import Axis, Kind, Target

OPEN = 2**32 - 1  # the end of a range of positions that goes on with the text


@dataclass(frozen=True)
class Span:
    """The numbers first, first + step, ... below `end`, which is `OPEN` when new tokens are included."""

    first: int
    end: int
    step: int = 1

    def count(self, limit: int | None = None) -> int | None:
        """How many numbers lie below `limit` as well; None for infinitely many."""
        end = self.end if limit is None else min(self.end, limit)
        return None if end == OPEN else len(range(self.first, end, self.step))

    def numbers(self, limit: int | None = None) -> range:
        """The numbers below `limit`. An open span needs a limit."""
        return range(self.first, self.end if limit is None else min(self.end, limit), self.step)


@dataclass(frozen=True)
class Selection:
    """The selected values of a target.

    rows: positions in the text; of a weight, rows. outer, inner: of attention, heads and positions of keys; of anything
    else, parts of `group` columns each, from column `base` on, and columns in such a part.
    axes: the names of the spans along each axis of the selection's shape as in NumPy, where a single number has none.
    """

    rows: Span
    outer: Span
    inner: Span
    base: int
    group: int
    axes: tuple[tuple[str, ...], ...]

    def spans(self) -> tuple[Span, Span, Span]:
        """All three spans."""
        return self.rows, self.outer, self.inner


def select(edit: Edit, target: Target, prompt: int, limit: int | None) -> Selection:
    """What `edit` selects of its target. Raises `UsageError`.

    prompt: tokens of the prompt, from whose end negative positions count back. limit: the most tokens that the text can
    have, None when that is unknown.
    """
    ranges, axes = _ranges(edit, target), _axes(target, edit)
    spans = [_span(edit, target, axis, part, prompt, limit) for axis, part in zip(axes, ranges, strict=True)]
    whole = Span(0, 1)
    slots: tuple[str, ...]
    if target.kind.of_attention:
        slots, found = ("outer", "rows", "inner"), Selection(spans[1], spans[0], spans[2], 0, 1, ())
    elif len(spans) == 1:
        slots, found = ("inner",), Selection(whole, whole, spans[0], 0, target.columns, ())
    elif len(spans) == 2:
        slots, found = ("rows", "inner"), Selection(spans[0], whole, spans[1], target.base, target.columns, ())
    else:
        size = target.step or target.columns // target.heads
        slots, found = ("rows", "outer", "inner"), Selection(spans[0], spans[1], spans[2], target.base, size, ())
    shown: list[tuple[str, ...]] = [(slot,) for slot, part in zip(slots, ranges, strict=True) if not part.single]
    if len(axes) > len(target.axes):  # heads side by side in the columns of a matrix
        shown = [*([] if ranges[0].single else [("rows",)]), ("outer", "inner")]
    return replace(found, axes=tuple(shown))


def _axes(target: Target, edit: Edit) -> Sequence[Axis]:
    """The axes that the edit's index refers to: heads side by side have one of their own when the index names them."""
    if len(target.axes) == 2 and any(part.name == "head" for part in edit.index) and target.heads:
        return (target.axes[0], Axis("head", target.heads), Axis("", target.columns // target.heads))
    return target.axes


def _ranges(edit: Edit, target: Target) -> list[Range]:
    """A range for every axis; axes without one are selected whole."""
    axes, index = _axes(target, edit), edit.index
    if not index or index[0].name is None:
        if len(index) > len(axes):
            raise UsageError(f"edit {edit.shown}: has {len(index)} indices; {target.name} is {target.shape_text}")
        return [*index, *[Range()] * (len(axes) - len(index))]
    by_name = {part.name: part for part in index}
    known = {axis.name for axis in axes}
    for part in index:
        if part.name not in known:
            raise UsageError(_no_axis(edit, target, str(part.name)))
    return [by_name.get(axis.name, Range()) if axis.name else Range() for axis in axes]


def _no_axis(edit: Edit, target: Target, name: str) -> str:
    if name == "head" and target.kind is Kind.ACTIVATION and not target.heads:
        return f"edit {edit.shown}: {target.name} has no heads of its own; edit attn.q, attn.k, attn.v or attn.out"
    return f"edit {edit.shown}: {target.name} has no {name}; it is {target.shape_text}"


def _span(edit: Edit, target: Target, axis: Axis, part: Range, prompt: int, limit: int | None) -> Span:
    if axis.size is None:
        return _positions(edit, axis, part, prompt, limit)
    if part.single:
        assert part.first is not None
        at = part.first + axis.size if part.first < 0 else part.first
        if not 0 <= at < axis.size:
            there = f"has {axis.size} heads" if axis.name == "head" else f"is {target.shape_text}"
            raise UsageError(
                f"edit {edit.shown}: there is no {axis.name or 'index'} {part.first}; {target.name} {there}"
            )
        return Span(at, at + 1)
    return Span(*slice(part.first, part.end, part.step).indices(axis.size))


def _positions(edit: Edit, axis: Axis, part: Range, prompt: int, limit: int | None) -> Span:
    def counted(number: int) -> int:
        return number + prompt if number < 0 else number

    if part.single:
        assert part.first is not None
        at = counted(part.first)
        if at < 0 or (limit is not None and at >= limit):
            tokens = prompt if at < 0 or limit is None else limit
            text = "prompt" if at < 0 else "text"
            raise UsageError(f"edit {edit.shown}: there is no {axis.name} {part.first}; the {text} has {tokens} tokens")
        return Span(at, at + 1)
    first = 0 if part.first is None else max(0, counted(part.first))
    end = OPEN if part.end is None else max(first, counted(part.end))
    return Span(first, end, part.step)
