"""`patch`: what each part of one run does in another run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from compute.api.load import load
from compute.api.model import Model
from compute.api.patching import Patching
from compute.errors import UsageError
from compute.io.array_files import write_npz
from compute.io.escape import one_line
from compute.lens.cell_json import number
from compute.models.patch_points import HEADS, PATCHED
from compute.weights.checkpoint import model_files

from .edits import edit_files, given_edits, report_edits
from .explanations import check_lines, checks_json, texts_of
from .output_paths import check_target
from .progress import copies_bar
from .prompt import read_prompt
from .shared import load_options, model_spec
from .streams import complain
from .text_grid import grid

_CELL = 9  # characters


def run(arguments: argparse.Namespace) -> int:
    """Print the map as a table, or all numbers as JSON; also write it to a file."""
    if arguments.out is not None:
        _check_out(arguments)
    if arguments.clean == arguments.corrupt == "-":
        raise UsageError("CLEAN and CORRUPT: only one of them can be read from standard input")
    clean, corrupt = read_prompt(arguments.clean), read_prompt(arguments.corrupt)
    edits = given_edits(arguments)
    model = load(model_spec(arguments), options=load_options(arguments, arguments.context))
    with copies_bar() as progress:
        found = model.patch(
            clean,
            corrupt,
            target=arguments.target,
            against=arguments.against,
            over=arguments.over,
            direction=arguments.direction,
            control=arguments.control,
            edits=edits,
            progress=progress,
        )
    if np.isnan(found.values).all():
        complain(
            "the clean and the corrupt run have the same difference, or one that is not finite: all values are null"
        )
    report_edits(found.report)
    if arguments.out is not None:
        _write(arguments.out, model, found)
    if arguments.json:
        print(json.dumps(as_json(model, found, clean, corrupt), ensure_ascii=False, allow_nan=False))
    elif arguments.out is None:
        print("\n".join(lines(model, found)))
    return 0


def as_json(model: Model, found: Patching, clean: str, corrupt: str) -> dict[str, object]:
    """The object that `--json` prints; a number that does not exist is None."""
    return {
        "model": model.name,
        "clean": clean,
        "corrupt": corrupt,
        "clean_tokens": found.clean,
        "corrupt_tokens": found.corrupt,
        "target": found.target,
        "against": found.against,
        "direction": found.direction,
        "clean_difference": number(found.clean_difference),
        "corrupt_difference": number(found.corrupt_difference),
        "over": found.over,
        "values": _table(found.values),
        "control": None if found.control is None else _table(found.control),
        "changed": found.changed.tolist(),
        "error": number(found.error),
        "edits": list(found.report.edits),
        "checks": checks_json(found.checks),
    }


def arrays(found: Patching) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays that `--out` writes, by name."""
    yield "values", found.values
    if found.control is not None:
        yield "control", found.control
    yield "changed", found.changed
    yield "clean", np.asarray(found.clean, np.int32)
    yield "corrupt", np.asarray(found.corrupt, np.int32)
    yield "differences", np.asarray([found.clean_difference, found.corrupt_difference])


def lines(model: Model, found: Patching) -> Iterator[str]:
    """The two differences, a table of the values, and what they are worth."""
    yield from _title(model, found)
    yield from _grid(model, found, found.values)
    if found.control is not None:
        yield ""
        yield "The same with random vectors as long as the change by the patch:"
        yield from _grid(model, found, found.control)
    yield ""
    if np.isfinite(found.error):
        yield f"floating-point error of a value: about {found.error:.1g}"
    unchanged = int((found.changed == 0).sum())
    if unchanged:
        yield f"no effect: {unchanged} of {found.changed.size} patches changed no value"
    yield from check_lines(found.checks)


def _title(model: Model, found: Patching) -> list[str]:
    target, against = texts_of(model, [found.target, found.against])
    what = PATCHED[found.over]
    source, run = ("clean", "corrupt") if found.direction == "denoise" else ("corrupt", "clean")
    return [
        f"logit of {target} minus logit of {against}: clean {found.clean_difference:.4f}, corrupt"
        f" {found.corrupt_difference:.4f}",
        f"{source} activations in the {run} run, over {what}; 0: the corrupt run, 1: the clean one",
        *(f"edit {edit}" for edit in found.report.edits),
    ]


def _columns(model: Model, found: Patching) -> list[str]:
    if found.over == HEADS:
        return [f"head {head}" for head in range(found.values.shape[1])]
    clean, corrupt = texts_of(model, found.clean), texts_of(model, found.corrupt)
    named = [one if one == other else f"{one}/{other}" for one, other in zip(clean, corrupt, strict=True)]
    return [f"{position} {name}" for position, name in enumerate(named)]


def _grid(model: Model, found: Patching, values: np.ndarray) -> Iterator[str]:
    rows = [[f"{value:+.3f}" if np.isfinite(value) else "-" for value in row] for row in values]
    yield from grid([f"layer {layer}" for layer in range(len(values))], _columns(model, found), rows, _CELL)


def _table(values: np.ndarray) -> list[list[float | None]]:
    return [[number(value) for value in row] for row in values]


def _check_out(arguments: argparse.Namespace) -> None:
    path: Path = arguments.out
    if path.suffix.lower() not in (".png", ".npz"):
        raise UsageError(f"--out {one_line(path)}: give a name that ends in .png or .npz")
    reads = [*model_files(model_spec(arguments)), *edit_files(arguments.edit)]
    if "-" in (arguments.clean, arguments.corrupt) and sys.platform != "win32":
        reads.append(Path("/dev/stdin"))
    check_target(path, reads)


def _write(path: Path, model: Model, found: Patching) -> None:
    if path.suffix.lower() == ".npz":
        write_npz(path, arrays(found))
        return
    from atlas_viewer.export.heat_map import HeatMap, write_heat_map

    rows = [f"layer {layer}" for layer in range(len(found.values))]
    limit = max(1.0, float(np.nanmax(np.abs(found.values), initial=0.0)))
    picture = HeatMap(_title(model, found), rows, _columns(model, found), found.values, limit)
    write_heat_map(path, picture, {"Description": "\n".join(_title(model, found))})
