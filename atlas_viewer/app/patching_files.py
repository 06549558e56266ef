"""Writes the maps of the Patching panel to files: PNG, SVG, arrays, JSON. They never replace a file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from atlas_viewer.media.svg import svg
from atlas_viewer.scene.paint import paint
from atlas_viewer.state.patching_drawing import map_drawing
from atlas_viewer.state.patching_text import meaning, title
from atlas_viewer.state.patching_view import PATCH, MapResult
from atlas_viewer.state.state import ModelSummary
from compute.errors import UsageError
from compute.io.array_files import write_npz
from compute.io.escape import one_line
from compute.io.output_files import write_new_output
from compute.lens.cell_json import number

SUFFIXES = (".png", ".svg", ".npz", ".json")


def write_map(path: Path, result: MapResult, model: ModelSummary | None, *, control: bool = False) -> None:
    """Write a map to a new file; its suffix says how. control: draw the map of the random vectors.

    Raises `UsageError` for another suffix, `OutputExistsError`, `OutputError`.
    """
    suffix, name = path.suffix.lower(), model.name if model is not None else ""
    if suffix == ".svg":
        write_new_output(path, svg(map_drawing(result, control=control)))
    elif suffix == ".png":
        picture = io.BytesIO()
        paint(map_drawing(result, control=control), picture, {"Description": f"{title(result)}\n{meaning(result)}"})
        write_new_output(path, picture.getvalue())
    elif suffix == ".json":
        text = json.dumps(as_json(result, name), ensure_ascii=False, allow_nan=False)
        write_new_output(path, text.encode() + b"\n")
    elif suffix == ".npz":
        about = {key: value for key, value in as_json(result, name).items() if key not in _ARRAYS}
        write_npz(path, _arrays(result), {"about": json.dumps(about, allow_nan=False)}, replace=False)
    else:
        raise UsageError(f"{one_line(str(path))}: give a name that ends in {', '.join(SUFFIXES[:-1])} or .json")


_ARRAYS = ("values", "control", "changed", "heads", "mlps", "heads_changed", "mlps_changed")


def as_json(result: MapResult, model: str) -> dict[str, object]:
    """A patching map as `patch --json` prints it, and an ablation with the same names."""
    job = result.job
    about: dict[str, object] = {
        "target": job.target,
        "against": job.against,
        "error": number(result.error),
        "edits": list(result.edits),
        "checks": [{"name": one.name, "error": number(one.error), "tolerance": one.tolerance, "ok": one.ok}
                   for one in result.checks],
    }  # fmt: skip
    if job.section != PATCH:
        heads = result.values.shape[1] - 1
        return {
            "model": model,
            "text": job.texts[0],
            "tokens": list(job.tokens[0]),
            "to": job.to,
            "logit": number(result.measured[0]),
            "heads": _table(result.values[:, :heads]),
            "mlps": [number(value) for value in result.values[:, heads]],
            "heads_changed": result.changed[:, :heads].tolist(),
            "mlps_changed": result.changed[:, heads].tolist(),
            **about,
        }
    return {
        "model": model,
        "clean": job.texts[0],
        "corrupt": job.texts[1],
        "clean_tokens": list(job.tokens[0]),
        "corrupt_tokens": list(job.tokens[1]),
        "direction": job.direction,
        "clean_difference": number(result.measured[0]),
        "corrupt_difference": number(result.measured[1]),
        "over": job.over,
        "values": _table(result.values),
        "control": None if result.control is None else _table(result.control),
        "changed": result.changed.tolist(),
        **about,
    }


def _arrays(result: MapResult) -> list[tuple[str, np.ndarray]]:
    """The arrays of an .npz file."""
    if result.job.section == PATCH:
        clean, corrupt = (np.asarray(tokens, np.int32) for tokens in result.job.tokens)
        arrays = [("values", result.values), ("changed", result.changed), ("clean", clean), ("corrupt", corrupt)]
        arrays.append(("differences", np.asarray(result.measured)))
        return arrays if result.control is None else [*arrays, ("control", result.control)]
    heads = result.values.shape[1] - 1
    return [
        ("heads", result.values[:, :heads]),
        ("mlps", result.values[:, heads]),
        ("heads_changed", result.changed[:, :heads]),
        ("mlps_changed", result.changed[:, heads]),
        ("tokens", np.asarray(result.job.tokens[0], np.int32)),
    ]


def _table(values: np.ndarray) -> list[list[float | None]]:
    return [[number(value) for value in row] for row in values]
