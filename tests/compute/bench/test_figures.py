"""Figures of `bench --json`: their order, what has changed, and earlier outputs that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from atlas_viewer.cli import bench_table
from compute.bench.figures import GROUPS, changes, figures, read_result
from compute.errors import AtlasError

from helpers.json_schemas import errors

SCHEMA = Path(__file__).parents[3] / "atlas_viewer" / "schemas" / "bench.json"
EXAMPLE: dict[str, Any] = json.loads(SCHEMA.read_text())["examples"][0]


def test_every_speed_is_a_figure() -> None:
    names = [figure.name for group in GROUPS for figure in figures(EXAMPLE, group)]
    assert len(names) == len(set(names))
    headline = {"prefill_ms", "prefill_tokens", "decode_tokens_per_second", "context", "map.window"}  # others' copies
    numbers = {
        f"{before}{name}"
        for before, values in (
            ("", EXAMPLE), ("map.", EXAMPLE["map"]), ("map.gpu_us.", EXAMPLE["map"]["gpu_us"]),
            ("prefill.", EXAMPLE["prefill"]), ("decode.", EXAMPLE["decode"]),
        )
        for name, value in values.items()
        if isinstance(value, int | float)
    }  # fmt: skip
    assert set(names) == numbers - headline


def test_changes_know_what_is_better() -> None:
    before = EXAMPLE | {
        "prefill": {"16": 2 * EXAMPLE["prefill"]["16"], "64": None, "256": 1.0},
        "decode": {"16": 2 * EXAMPLE["decode"]["16"]},
        "atlas_us": 1.01 * EXAMPLE["atlas_us"],
    }
    found = {change.figure.name: change for change in changes(before, EXAMPLE)}
    assert (found["prefill.16"].percent, found["prefill.16"].verdict) == (-50, "better")
    assert (found["decode.16"].percent, found["decode.16"].verdict) == (-50, "worse")
    assert found["atlas_us"].verdict == ""
    assert not {"prefill.64", "prefill.256", "decode.64"} & found.keys()
    lines = list(bench_table.change_lines(before, EXAMPLE))
    assert lines[1:3] == [
        "                                                      before       now   change",
        "Prefill, 16 tokens                              ms      94.3      47.1   -50.0%  better",
    ]
    assert len({len(line.rsplit("%")[0]) for line in lines[2:]}) == 1  # columns are aligned
    assert bench_table.changes_json(before, EXAMPLE)[0] == {
        "figure": "prefill.16", "unit": "ms", "before": 94.274, "now": 47.137, "percent": -50.0
    }  # fmt: skip


def test_the_schema_describes_what_comparisons_add() -> None:
    counts = {"repeats": 5, "tokens": 16}
    llama = {
        "version": "1 (a)", "device": "a GPU", "backends": "CUDA", "threads": 2, "prefill": {"16": 2.0}, "decode": {},
        "counts": {"prefill": {"16": counts}, "decode": {}}, "ratios": {"prefill": {"16": 1.5}, "decode": {}},
    }  # fmt: skip
    rates = {"generate_tokens_per_second": 1.0, "static_tokens_per_second": 2.0}
    precision = rates | {"counts": {"generate": counts, "static": counts}}
    torch = {
        "version": "2", "transformers": "5", "device": "cpu", "threads": 2, "context": 64, "static_kind": "eager",
        "bf16": precision, "fp16": precision, "fp32": precision,
    }  # fmt: skip
    ratios = {name: {"generate": 1.0, "static": 2.0} for name in ("bf16", "fp16", "fp32")}
    changes = bench_table.changes_json(EXAMPLE, EXAMPLE)
    assert len(changes) > 20
    added = {"llama": llama, "torch": torch, "ratios": ratios, "changes": changes}
    assert errors("bench", EXAMPLE | added) == []


def test_an_earlier_output_is_read(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    file.write_text(json.dumps(EXAMPLE))
    assert read_result(file) == EXAMPLE
    file.write_text('{"adapter": "a", "model": "m", "weights": "f32"}')  # without any figure
    assert changes(read_result(file), EXAMPLE) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("[]", "is not an output of `bench --json`"),
        ("{}", "is not an output of `bench --json`"),
        (json.dumps(EXAMPLE | {"model": 3}), "is not an output of `bench --json`"),
        (json.dumps(EXAMPLE | {"frame_ms": "fast"}), "frame_ms is not a figure"),
        (json.dumps(EXAMPLE | {"frame_ms": True}), "frame_ms is not a figure"),
        (json.dumps(EXAMPLE | {"frame_ms": -1}), "frame_ms is not a figure"),
        (json.dumps(EXAMPLE | {"prefill": {"a\nb": []}}), r"prefill.a\nb is not a figure"),
        (" " * (2 << 20), "is too large"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "before.json"
    file.write_text(content)
    with pytest.raises(AtlasError) as caught:
        read_result(file)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match="there is no such file"):
        read_result(tmp_path / "none.json")
