"""Where two lists of edits differ."""

from __future__ import annotations

from collections.abc import Sequence

from .resolved import ResolvedEdit
from .targets import Kind


def first_changed_row(before: Sequence[ResolvedEdit], after: Sequence[ResolvedEdit]) -> int | None:
    """The first position whose cached row two lists make different; None when all rows are the same."""
    rows = [edit.first_row for edit in _unlike(before, after)]
    return min((row for row in rows if row is not None), default=None)


def first_changed_position(before: Sequence[ResolvedEdit], after: Sequence[ResolvedEdit]) -> int | None:
    """The first position at which two lists make anything different, the logits included; None for nowhere."""
    rows = [
        edit.selection.rows.first if edit.target.kind is Kind.LOGITS else edit.first_row
        for edit in _unlike(before, after)
    ]
    return min((row for row in rows if row is not None), default=None)


def _unlike(before: Sequence[ResolvedEdit], after: Sequence[ResolvedEdit]) -> list[ResolvedEdit]:
    """The edits of either list without those that both make alike, tensor by tensor."""
    found: list[ResolvedEdit] = []
    for slot in {edit.target.slot for edit in (*before, *after)}:
        one = [edit for edit in before if edit.target.slot == slot]
        other = [edit for edit in after if edit.target.slot == slot]
        while one and other and one[0].same(other[0]):
            del one[0], other[0]
        while one and other and one[-1].same(other[-1]):
            del one[-1], other[-1]
        found += [*one, *other]
    return found
