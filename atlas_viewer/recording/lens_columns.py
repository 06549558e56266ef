"""The recorded lens of a run as one grid: a column for each token of the prompt and for each step."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compute.errors import RecordingError
from compute.lens.cell_json import cell_json
from compute.lens.lens_cells import LensCells

from .reader import Recording
from .records import RecordedStep, RunInfo

_ARRAYS = (
    "top_tokens", "top_logits", "log_total", "entropy", "nonfinite", "target_logit", "target_rank", "norm", "added",
    "cosine",
)  # fmt: skip
_CSV = (
    "run", "step", "position", "token", "text", "point", "rank", "top_token", "top_text", "logit", "probability",
    "entropy", "target", "target_logit", "target_probability", "target_rank",
    "lens_file",
)  # fmt: skip


@dataclass(frozen=True)
class LensColumns:
    """The lens of C columns; `cells` has them as its positions.

    steps: int64 [C], the step whose pass the column belongs to. positions: int64 [C], index of the column's token in
    the text. tokens: int64 [C], the tokens there. targets: int64 [C], the token that the step drew.
    """

    steps: np.ndarray
    positions: np.ndarray
    tokens: np.ndarray
    targets: np.ndarray
    cells: LensCells


def lens_columns(recording: Recording, run: RunInfo) -> LensColumns | None:
    """All columns in the order of the text; None if no lens was recorded. Raises `RecordingError`."""
    steps = recording.steps(run)
    text = [*run.prompt_tokens, *(step.record.token for step in steps)]
    found = [(step.record, cells) for step in steps if (cells := recording.lens(run, step.record)) is not None]
    if not found:
        return None
    if len({cells.top_tokens.shape[2] for _, cells in found}) > 1:
        raise RecordingError(
            f"{recording.shown}: is damaged (lens, run {run.id}: cells have different numbers of tokens)"
        )
    before = len(run.prompt_tokens)
    positions = [[before + step.index - step.context_length + row for row in cells.positions] for step, cells in found]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(cells, name) for _, cells in found], axis=1) for name in _ARRAYS
    }
    flat = np.asarray([position for part in positions for position in part], np.int64)
    if flat.min() < 0:
        raise RecordingError(f"{recording.shown}: is damaged (lens, run {run.id}: its rows begin before the text)")
    counts = [len(part) for part in positions]
    return LensColumns(
        steps=np.repeat(np.asarray([step.index for step, _ in found], np.int64), counts),
        positions=flat,
        tokens=np.asarray(text, np.int64)[flat],
        targets=np.repeat(np.asarray([step.token for step, _ in found], np.int64), counts),
        cells=replace(found[0][1], positions=range(len(flat)), target=None, **joined),
    )


def lens_arrays(columns: LensColumns) -> dict[str, Any]:
    """The arrays of an NPZ file, named and shaped as those of `lens --out`, with `lens_` before each name."""
    cells = columns.cells
    return {
        "lens_points": np.array(cells.points),
        "lens_steps": columns.steps,
        "lens_positions": columns.positions,
        "lens_targets": columns.targets,
        **{f"lens_{name}": getattr(cells, name) for name in _ARRAYS},
    }


def lens_json(recording: Recording, run: RunInfo, step: RecordedStep) -> Mapping[str, Any] | None:
    """The lens of a step, with cells as in `lens --json`; None if it was not recorded."""
    cells = recording.lens(run, step.record)
    if cells is None:
        return None
    return {
        "first_position": step.record.context_start + cells.positions.start,
        "target": cells.target,
        "cells": [
            [cell_json(cells, point, position, recording.token_text) for position in range(len(cells.positions))]
            for point in range(len(cells.points))
        ],
        "decided": cells.decided.tolist(),
    }


def lens_csv(recording: Recording, run: RunInfo, columns: LensColumns) -> str:
    """A line for each of the likeliest tokens of each cell, after a line with the column names. Ranks count from 0."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _CSV, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    file = recording.lens_steps(run).file
    for column, (step, position, token) in enumerate(
        zip(columns.steps.tolist(), columns.positions.tolist(), columns.tokens.tolist(), strict=True)
    ):
        known = {"run": run.id, "step": step, "position": position, "token": token, "text": recording.token_text(token)}
        for index, point in enumerate(columns.cells.points):
            cell = cell_json(columns.cells, index, column, recording.token_text)
            top: Any = cell["top"]
            cell |= known | {"point": point, "target": int(columns.targets[column]), "lens_file": file}
            for rank, likely in enumerate(top):
                named = {"top_token": likely["token"], "top_text": likely["text"]}
                writer.writerow(
                    cell | named | {"rank": rank, "logit": likely["logit"], "probability": likely["probability"]}
                )
    return buffer.getvalue()
