"""The results of the Patching panel in words: titles, cells, safeguards, and the edit that a cell stands for."""

from __future__ import annotations

import math

from compute.edits.grammar import EditLike
from compute.models.patch_points import HEADS, PATCHED

from .patching_view import ABLATE, MEAN, MLP, PATCH, MapResult
from .quoting import quoted

CONTROL_TIP = (
    "The same map with random vectors as long as the change by the patch. A part matters if the maps differ there."
)


def measured_text(result: MapResult) -> str:
    """What was measured: "logit of " Tom" minus logit of " Ben"."""
    text = f"logit of {quoted(result.names[0])}"
    return text + (f" minus logit of {quoted(result.names[1])}" if len(result.names) > 1 else "")


def title(result: MapResult) -> str:
    """What the map shows, with the numbers of the unchanged runs."""
    numbers = result.measured
    if result.job.section == PATCH:
        return f"{measured_text(result)}: clean {numbers[0]:.4f}, corrupt {numbers[1]:.4f}"
    return f"{measured_text(result)}: {numbers[0]:.4f}"


def meaning(result: MapResult) -> str:
    """What a cell is."""
    job = result.job
    if job.section == ABLATE:
        to = "its mean over the text" if job.to == MEAN else "0"
        return f"each cell: what the logit gains or loses when the head or MLP is set to {to} at all positions"
    base = "corrupt" if job.source == "clean" else "clean"
    where = "" if job.over == HEADS else ", at one position"
    return f"each cell: {PATCHED[job.over]}{where}, from the {job.source} run into the {base} run; 0: corrupt, 1: clean"


def column_text(result: MapResult, column: int) -> str:
    """A column in words."""
    name = result.columns[column]
    if name == MLP:
        return "MLP"
    if result.job.section == ABLATE or result.job.over == HEADS:
        return f"head {name}"
    return f"position {column}, {quoted(name)}"


def cell_text(result: MapResult, cell: tuple[int, int]) -> str:
    """A cell on one line."""
    value, changed = float(result.values[cell]), int(result.changed[cell])
    text = f"layer {cell[0]}, {column_text(result, cell[1])}: {number(value)}"
    if math.isfinite(result.error):
        text += f" \u00b1 {result.error:.0e}"
    if result.control is not None:
        text += f", random vector {number(float(result.control[cell]))}"
    if not changed:
        return f"{text}; no effect: the values are already the same"
    small = math.isfinite(value) and math.isfinite(result.error) and abs(value) <= result.error
    return text + ("; no larger than the floating-point error" if small else f"; {changed} values changed")


def number(value: float) -> str:
    """A value with its sign."""
    return f"{value:+.3f}" if math.isfinite(value) else "no value"


def safeguards(result: MapResult) -> list[tuple[str, bool]]:
    """The lines that say how far the map can be trusted, each with whether it is a warning."""
    lines = []
    for check in result.checks:
        text = f"{check.name}: error {check.error:.1g} (limit {check.tolerance:g})"
        lines.append((text, False) if check.ok else (f"violated: {text}", True))
    if math.isfinite(result.error):
        lines.append((f"floating-point error of a value: about {result.error:.0e}", False))
    elif result.job.section == PATCH:
        lines.append(("both runs have the same difference, or one that is not finite, so the map has no values", True))
    else:
        lines.append(("the logit is not finite", True))
    if result.unchanged:
        lines.append((f"no effect: {result.unchanged} of {result.changed.size} cells changed no value", False))
    lines += [(f"edit in force: {edit}", False) for edit in result.edits]
    lines += [(text, True) for text in result.warnings]
    return lines


def edit_of_cell(result: MapResult, cell: tuple[int, int]) -> tuple[EditLike, str]:
    """The edit that a cell stands for, and where its values come from."""
    (layer, column), job = cell, result.job
    point = result.points[layer][column]
    if job.section == ABLATE:
        value = "mean" if job.to == MEAN else "0"
        return (f"{point} = {value}" if result.columns[column] == MLP else f"{point}[head={column}] = {value}"), ""
    array, note = result.activations[layer], f"from the {job.source} run: {job.texts[job.direction == 'noise']}"
    if job.over == HEADS:
        size = array.shape[1] // len(result.columns)
        values = array[:, column * size : (column + 1) * size]
        return (f"{point}[pos=0:{len(array)}, head={column}] =", values), note
    return (f"{point}[pos={column}] =", array[column]), note
