"""A recording as JSON, CSV and NPZ."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from compute.models.architectures import parameter_count
from compute.models.config_text import details, sizes

from .lens_columns import lens_arrays, lens_columns, lens_json
from .reader import Recording
from .records import RecordedStep, RunInfo, UiEvent

_COLUMNS = (
    "run", "step", "time", "token", "text", "logit", "probability", "model_probability", "rank", "entropy",
    "context_start", "context_length", "forward_ms", "nonfinite_logits",
)  # fmt: skip


def summary(recording: Recording) -> dict[str, Any]:
    """The head and the runs, without their steps."""
    head = asdict(recording.head)
    config = recording.head.config
    head["config"] = {**sizes(config), "parameters": parameter_count(config), "details": details(config)}
    return {
        "head": head,
        "runs": [
            _run(run) | {"steps": recording.count(run), "lens": _lens(recording, run)} for run in recording.runs()
        ],
        "events": len(recording.events()),
        "cameras": len(recording.cameras()),
    }


def as_json(recording: Recording) -> str:
    """Everything except logits and statistics, as one JSON object; NaN and infinities become null."""
    result = summary(recording)
    for run, info in zip(result["runs"], recording.runs(), strict=True):
        run["prompt_texts"] = [recording.token_text(token) for token in info.prompt_tokens]
        run["steps"] = [_step(step) | {"lens": lens_json(recording, info, step)} for step in recording.steps(info)]
    result["events"] = [_ui_event(ui_event, "kind") for ui_event in recording.events()]
    result["cameras"] = [_ui_event(ui_event, "view") for ui_event in recording.cameras()]
    return json.dumps(plain(result), ensure_ascii=False, allow_nan=False)


def as_csv(recording: Recording) -> str:
    """One line per step of each run, after a line with the column names."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in recording.runs():
        for step in recording.steps(run):
            record = vars(step.record)
            writer.writerow({**record, "run": run.id, "step": step.record.index, "time": step.time})
    return buffer.getvalue()


def as_npz(recording: Recording, run: RunInfo) -> bytes:
    """The steps of one run as the bytes of an NPZ file.

    `prompt_tokens` [prompt]; `tokens`, `logit`, `probability`, `model_probability`, `rank`, `entropy`, `forward_ms`,
    `time` [steps]; `top_tokens`, `top_logits` [steps, candidates] (padded with -1 and NaN); if recorded,
    `logits` [recorded, vocabulary] with `logits_steps`, and `statistics` (a record each) [recorded, tensors] with
    `statistics_steps` and `statistics_tensors`, and the lens: `lens_steps`, `lens_positions`, `lens_targets` [columns],
    `lens_points` [points], the others [points, columns] or [points, columns, tokens]. `head` is JSON text.
    """
    steps = recording.steps(run)
    records = [step.record for step in steps]
    arrays: dict[str, Any] = {
        "head": np.array(json.dumps(plain(summary(recording)["head"]), allow_nan=False)),
        "prompt_tokens": np.asarray(run.prompt_tokens, np.int64),
        "tokens": np.asarray([record.token for record in records], np.int64),
        "rank": np.asarray([record.rank for record in records], np.int64),
        "time": np.asarray([step.time for step in steps], np.float64),
    }
    for name in ("logit", "probability", "model_probability", "entropy", "forward_ms"):
        arrays[name] = np.asarray([getattr(record, name) for record in records], np.float64)
    most = max((len(record.top) for record in records), default=0)
    arrays["top_tokens"] = np.full((len(records), most), -1, np.int64)
    arrays["top_logits"] = np.full((len(records), most), np.nan)
    for row, record in enumerate(records):
        arrays["top_tokens"][row, : len(record.top)] = [candidate.token for candidate in record.top]
        arrays["top_logits"][row, : len(record.top)] = [candidate.logit for candidate in record.top]
    for name, read in (("logits", recording.logits), ("statistics", recording.statistics)):
        found = [(step, values) for step in range(len(records)) if (values := read(run, step)) is not None]
        if found:
            arrays[name] = np.stack([values for _, values in found])
            arrays[f"{name}_steps"] = np.asarray([step for step, _ in found], np.int64)
    if "statistics" in arrays:
        arrays["statistics_tensors"] = np.array([tensor.name for tensor in recording.live])
    columns = lens_columns(recording, run)
    if columns is not None:
        arrays |= lens_arrays(columns)
        file = recording.lens_steps(run).file
        if file is not None:
            arrays["lens_file"] = np.array(file)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def plain(value: Any) -> Any:
    """`value` with None for every non-finite float."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _run(run: RunInfo) -> dict[str, Any]:
    return asdict(replace(run, edits=())) | {"options": run.options.as_json(), "edits": [e.text for e in run.edits]}


def _step(step: RecordedStep) -> dict[str, Any]:
    return (
        asdict(step.record)
        | {"time": step.time, "options": step.options.as_json(), "draw": asdict(step.draw)}
        | {"edits": [edit.text for edit in step.edits]}
    )


def _lens(recording: Recording, run: RunInfo) -> dict[str, Any] | None:
    lens = recording.lens_steps(run)
    return {"points": list(recording.lens_points)} | asdict(lens) if lens.steps else None


def _ui_event(ui_event: UiEvent, name: str) -> dict[str, Any]:
    return {
        "time": ui_event.time,
        "run": ui_event.run,
        "step": ui_event.step,
        name: ui_event.name,
        "data": dict(ui_event.data),
    }
