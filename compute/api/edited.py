"""Passes with edits: resolved for a text, in force while it runs, and reported afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from compute.edits.grammar import Edit
from compute.edits.report import EditReport
from compute.edits.resolved import ResolvedEdit
from compute.edits.values import Mean
from compute.forward.engine import Engine
from compute.generate.edit_values import resolve_edits
from compute.gpu.slices import Sliced


@contextlib.contextmanager
def edited(
    engine: Engine,
    edits: Sequence[Edit],
    prompt: Sequence[int],
    limit: int | None,
    before: Sequence[ResolvedEdit] = (),
) -> Iterator[tuple[ResolvedEdit, ...]]:
    """The edits resolved for a text, and in force inside after those of `before`; none are afterwards.

    limit: see `resolve_edits`.
    """
    try:
        resolved = (*before, *resolve_edits(engine, edits, prompt, limit, before))
        engine.set_edits(resolved, fresh=True)
        yield resolved
    finally:
        engine.set_edits(())


def report_of(engine: Engine) -> EditReport:
    """What the edits in force have done. Blocks."""
    return EditReport.of(engine.edits, engine.effects())


def reported(engine: Engine) -> Sliced[EditReport]:
    """As `report_of`, between frames."""
    edits = engine.edits
    return EditReport.of(edits, (yield from engine.effects_sliced()))


def by_text(edits: Sequence[Edit]) -> bool:
    """True when the values of edits differ from text to text, so that texts cannot share a pass."""
    return any(isinstance(edit.value, Mean) for edit in edits)
