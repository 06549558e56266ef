"""Edits of a run as they are recorded, applied again, and put into words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from compute.edits.captured import as_given
from compute.edits.grammar import Edit, parse_edit
from compute.edits.resolved import ResolvedEdit, place
from compute.edits.selection import Span
from compute.edits.targets import Kind, Targets
from compute.edits.values import Array, ArrayFile, Number
from compute.errors import UsageError
from compute.models.description import Description
from compute.sampling.options import GenerateOptions

from . import validate
from .records import RecordedEdit, RunInfo
from .validate import Unsound, line

if TYPE_CHECKING:
    from .reader import Recording

_ELSEWHERE = ArrayFile("recorded.npy")


def text_limit(prompt: int, options: GenerateOptions) -> int:
    """The most tokens of the text that a pass sees, for a prompt of so many tokens."""
    return max(1, prompt + options.max_new_tokens - 1)


def recorded_edits(edits: Sequence[ResolvedEdit], prompt: int, limit: int) -> tuple[RecordedEdit, ...]:
    """The edits with their values."""
    return tuple(RecordedEdit(_text(one.edit), prompt, limit, one.values) for one in edits)


def applied_edits(edits: Sequence[RecordedEdit], description: Description) -> tuple[ResolvedEdit, ...]:
    """The edits as a model applies them. Raises `AtlasError` if it lacks a tensor or the values do not fit."""
    return tuple(_applied(edit, Targets(description)) for edit in edits)


def given(edit: ResolvedEdit) -> tuple[Edit, str]:
    """A recorded edit as the window lists it, and a note about its values: as they were recorded, without files."""
    if isinstance(edit.edit.value, Number):
        return edit.edit, ""
    return as_given(edit), f"as recorded: {edit}"


def edit_changes(recording: Recording, run: RunInfo) -> Iterator[tuple[int, tuple[RecordedEdit, ...]]]:
    """The edits from each step on at which they change after the run's beginning, with the index of the step."""
    before = run.edits
    for step in recording.steps(run) if recording.has_edits else ():
        if len(step.edits) != len(before) or not all(map(RecordedEdit.same, step.edits, before)):
            yield step.record.index, step.edits
        before = step.edits


def edit_differences(one: Sequence[RecordedEdit], other: Sequence[RecordedEdit]) -> Iterator[str]:
    """What only one of two runs does, in words; A is the first of them."""
    for side, mine, theirs in (("A", one, other), ("B", other, one)):
        for edit in mine:
            alike = [known for known in theirs if known.text == edit.text]
            if not alike:
                yield f"{side} {in_words(edit)}"
            elif side == "A" and not any(edit.same(known) for known in alike):
                yield f"edit {edit.text}: its values differ"
    texts, others = [edit.text for edit in one], [edit.text for edit in other]
    if texts != others and sorted(texts) == sorted(others):
        yield "edits: the same, in another order"


def in_words(edit: RecordedEdit) -> str:
    """What the edit does, such as `zeroes L5H3 (h.5.attn.out[head=3] = 0)`."""
    parsed = parse_edit(edit.text)
    place = parsed.target if not parsed.index else f"{parsed.target}[{', '.join(map(str, parsed.index))}]"
    parts = parsed.target.split(".")
    if len(parsed.index) == 1 and parsed.index[0].name == "head" and parsed.index[0].single and parts[0] == "h":
        place = f"L{parts[1]}H{parsed.index[0].first}"
    zero = isinstance(parsed.value, Number) and parsed.value.value == 0
    verb = {"=": "zeroes" if zero else "sets", "+=": "adds to", "*=": "zeroes" if zero else "scales"}[parsed.op]
    return f"{verb} {place} ({edit.text})"


def _text(edit: Edit) -> str:
    """The edit as a text that can be read; `_ELSEWHERE` stands for values without one, such as an array in Python."""
    if not isinstance(edit.value, Array):
        text = str(edit)
        with suppress(UsageError, ValueError):
            parse_edit(line(text))
            return text
    return str(replace(edit, value=_ELSEWHERE))


def _applied(edit: RecordedEdit, targets: Targets) -> ResolvedEdit:
    parsed = parse_edit(edit.text)
    placed = place(parsed, targets.find(parsed.target), edit.prompt, edit.tokens)
    kind, selection = placed.target.kind, placed.selection
    spans: tuple[tuple[Span, bool], ...] = (
        (selection.rows, kind is not Kind.WEIGHT), (selection.outer, False), (selection.inner, kind.of_attention),
    )  # fmt: skip
    for size, (span, grows) in zip(edit.values.shape, spans, strict=True):
        count = span.count(edit.tokens if grows else None)
        if size not in (1, count):
            raise UsageError(f"edit {parsed.shown}: its {size} recorded values do not fit the {count} that it selects")
    return ResolvedEdit(parsed, placed.target, selection, np.ascontiguousarray(edit.values, np.float32))


def read_edit(row: Sequence[Any]) -> RecordedEdit:
    """The edit in a row of the table. Raises `Unsound`."""
    number, text, prompt, tokens, *shape, data = row
    try:
        return RecordedEdit(
            text, prompt, tokens, validate.array(data, np.dtype("<f4"), math.prod(shape)).reshape(shape)
        )
    except ValueError as error:
        raise Unsound(f"edits, id {number}, data: {error}") from None
