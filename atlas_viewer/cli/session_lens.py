"""The lens of a recording as a file."""

from __future__ import annotations

from pathlib import Path

from atlas_viewer.recording.lens_columns import LensColumns, lens_columns, lens_csv
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.records import RunInfo
from atlas_viewer.state.quoting import quoted
from compute.errors import RecordingError
from compute.io.output_files import write_output

SUFFIXES = (".csv", ".png", ".svg")


def export_lens(path: Path, recording: Recording, run: RunInfo) -> None:
    """Write the lens of a run. Raises `RecordingError` if none was recorded, `OutputError`."""
    columns = lens_columns(recording, run)
    if columns is None:
        raise RecordingError(
            f"{recording.shown}: run {run.id} has no lens; record one with `session record --with-lens`"
        )
    if path.suffix.lower() == ".csv":
        write_output(path, lens_csv(recording, run, columns).encode())
    else:
        _picture(path, recording, run, columns)


def _picture(path: Path, recording: Recording, run: RunInfo, columns: LensColumns) -> None:
    from atlas_viewer.export.lens_picture import lens_picture, write_lens_picture

    head, file = recording.head, recording.lens_steps(run).file
    shown = [
        (position, recording.token_text(token), position >= len(run.prompt_tokens))
        for position, token in zip(columns.positions.tolist(), columns.tokens.tolist(), strict=True)
    ]
    notes = [
        f"model {head.model}, weights {head.weights}, {head.adapter}",
        f"run {run.id}, recorded {head.created} by {head.program}",
        f"prompt {quoted(run.prompt)}",
        *([] if file is None else [f"lens file {file}"]),
        *(f"edit {edit.text}" for edit in run.edits),
    ]
    picture = lens_picture(
        f"{'Logit lens' if file is None else 'Lens'} of {head.model}",
        notes,
        columns.cells.points,
        columns.cells,
        shown,
        recording.token_text,
        "the token that was drawn next; in the prompt, of the first token drawn",
    )
    write_lens_picture(path, picture)
