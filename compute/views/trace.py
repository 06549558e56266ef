"""The trace: a record for each tensor of the latest pass, in run order."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from compute.forward.engine import Engine
from compute.models.names import split_name

from .statistics import TensorStatistics
from .strip_layout import StripLayout

_FIELDS = (
    "name", "shape", "count", "finite", "nan", "pos_inf", "neg_inf", "zero",
    "min", "max", "mean", "std", "absmax", "first_nonfinite", "samples",
)  # fmt: skip


def records(engine: Engine, statistics: Mapping[str, TensorStatistics], layout: StripLayout) -> list[dict[str, Any]]:
    """The output of `trace --json`: the statistics of each tensor, and its cells in `layout`.

    A non-finite sample is None, because JSON cannot express it.
    """
    spans = {span.name: span for span in layout.spans}
    result: list[dict[str, Any]] = []
    for tensor in engine.registry:
        known = statistics.get(tensor.name)
        if known is None:
            continue
        record: dict[str, Any] = {field: getattr(known, field) for field in _FIELDS}
        record["shape"] = list(known.shape)
        record["samples"] = [value if math.isfinite(value) else None for value in known.samples]
        span = spans.get(tensor.name)
        record["cells"] = [span.first, span.last] if span else None
        record["cells_written"] = span.cells if span else 0
        record["edits"] = [str(edit) for edit in engine.edits if edit.target.changes(tensor.name, engine.description)]
        result.append(record)
    return result


def lines(trace: Sequence[Mapping[str, Any]], recomputed: Collection[str] = ()) -> list[str]:
    """`trace` as text: one line per tensor, then the first tensor with a non-finite value, if any.

    recomputed: names of the tensors that the pass itself did not keep.
    """
    text = []
    block: int | None = None
    for record in trace:
        name = record["name"]
        next_block, _ = split_name(name)
        if next_block is not None and next_block != block:
            text.append(f"-- layer {next_block} --")
        block = next_block
        text.append(_line(record, recomputed=name in recomputed))
    bad = next((record for record in trace if record["finite"] < record["count"]), None)
    if bad:
        text.append(f"first value that is not finite: {bad['name']}, value {bad['first_nonfinite']}")
    return text


def _line(record: Mapping[str, Any], *, recomputed: bool) -> str:
    cells = record["cells"]
    cells_text = (
        f"cells {cells[0]:>6}-{cells[1]:>6} {record['cells_written']}/{record['count']}" if cells else "no cells"
    )
    if recomputed:
        cells_text += ", recomputed"
    samples = ", ".join("not finite" if value is None else _number(value) for value in record["samples"])
    return (
        f"{cells_text}  {record['name']}: count={record['count']} finite={record['finite']} nan={record['nan']}"
        f" +inf={record['pos_inf']} -inf={record['neg_inf']} zero={record['zero']} min={_number(record['min'])}"
        f" max={_number(record['max'])} mean={_number(record['mean'])} absMax={_number(record['absmax'])}"
        f" samples=[{samples}]"
    )


def _number(value: float) -> str:
    return f"{value:.5f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.4e}"
