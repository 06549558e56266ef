"""The edits of `--edit`: their checks, and the report afterwards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from compute.edits.grammar import Edit, Edits, edits_of
from compute.edits.recorded import RecordedPass, open_recordings_with
from compute.edits.report import EditReport
from compute.edits.resolving import place_all
from compute.edits.values import ArrayFile, FileMean, FromRun
from compute.models.description import Description

from .streams import complain, note


def given_edits(arguments: argparse.Namespace) -> tuple[Edit, ...]:
    """The edits of `--edit`, in order. Recordings that they name can be read afterwards. Raises `UsageError`."""
    edits = edits_of(arguments.edit)
    if edits:
        read_recordings()
    return edits


def read_recordings() -> None:
    """Let edits and comparisons read recordings."""
    open_recordings_with(_recorded_pass)


def check_edits(edits: Sequence[Edit], description: Description, prompt: int, limit: int | None) -> None:
    """Raise an `AtlasError` for an unknown tensor or a wrong index, before the model is loaded.

    prompt: tokens of the prompt; limit: the most tokens of the text that passes see.
    """
    place_all(edits, description, prompt, limit)


def edit_files(edits: Edits) -> list[Path]:
    """The files that edits read. Raises `UsageError` for one that is not an edit."""
    values = [edit.value for edit in edits_of(edits)]
    return [Path(value.path) for value in values if isinstance(value, (ArrayFile, FileMean, FromRun))]


def report_edits(report: EditReport) -> None:
    """Print on standard error what each edit has done."""
    for edit, count in zip(report.edits, report.changed, strict=True):
        if count:
            note(f"edit {edit}: changed {count:,} {'value' if count == 1 else 'values'}")
    for line in report.warnings():
        complain(line)


def edit_lines(report: EditReport) -> list[str]:
    """A line for each edit, for output that names them."""
    return [f"edit {edit}" for edit in report.edits]


def _recorded_pass(path: str, step: int) -> RecordedPass:
    from atlas_viewer.recording.edit_source import recorded_pass

    return recorded_pass(path, step)
