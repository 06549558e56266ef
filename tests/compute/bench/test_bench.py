"""The benchmark: everything is reported, counts are correct, and nothing ends a measurement early. No speeds."""

from __future__ import annotations

import io
import json
import math
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas_viewer.cli import bench_table
from atlas_viewer.cli.main import main
from atlas_viewer.cli.parser import parse
from atlas_viewer.scene.glyphs import digit_glyphs
from atlas_viewer.state import proof
from compute.bench import engine_bench, map_bench
from compute.bench.measuring import Budget, Figure, repeated
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.text.tokenizer import Tokenizer
from compute.views.map_digits import digit_style
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.map_pyramid import LEVELS
from compute.views.map_view import level_of
from compute.views.strip import StripPass
from compute.weights.checkpoint import ArrayModel

from helpers.make_models import tiny_checkpoint, tiny_model
from helpers.map_registry import STORIES, registry

pytestmark = pytest.mark.gpu

TINY = ModelConfig(layers=1, heads=2, channels=8, positions=48, vocabulary=50257, padded_vocabulary=50304)
SHORT = Budget(seconds=0.05, longest=10.0, warm_up=0.01)
FIELDS = {
    "adapter", "model", "weights", "path", "layout", "context", "prefill_tokens", "prefill_ms", "prefill",
    "decode_tokens_per_second", "decode", "decode_gpu_us_per_token", "decode_host_us_per_token", "load_host_mb",
    "gpu_mb", "counts", "decode_with_atlas_tokens_per_second", "atlas_us", "statistics_us", "frame_ms", "frame_host_ms",
    "frame_size", "map", "peak_host_mb", "proved",
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine.load(tiny_model(TINY), LoadOptions(context=48))
    engine_bench.warm_up(engine, SHORT)
    return engine


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_bench, "QUICK", SHORT)


def constant_model(logits: dict[int, float]) -> ArrayModel:
    """A model with these logits for any text; all others are 0."""
    arrays = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(TINY).items()}
    arrays["ln_f.bias"][0] = 1
    for token, logit in logits.items():
        arrays["wte"][token, 0] = logit
    return ArrayModel("constant", TINY, arrays)


# -- the command


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The output of `bench --json` for a tiny model, with a context shorter than its positions."""
    model = tiny_checkpoint(tmp_path_factory.mktemp("bench") / "tiny.bin", TINY)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(engine_bench, "QUICK", SHORT)
        status = main(["bench", "--quick", "--json", "--model", str(model), "--size", "320x200", "--context", "20"])
    assert (status, err.getvalue()) == (0, "")
    figures: dict[str, Any] = json.loads(out.getvalue())
    return figures


def test_json_has_every_figure(report: dict[str, Any]) -> None:
    assert report.keys() == FIELDS
    assert (report["weights"], report["context"], report["prefill_tokens"], report["frame_size"]) == (
        "f32",
        20,
        20,
        [320, 200],
    )
    assert list(report["prefill"]) == list(report["decode"]) == ["16", "20"]
    assert report["prefill_ms"] == report["prefill"]["20"]
    assert report["decode_tokens_per_second"] == report["decode"]["20"]
    assert report.pop("proved") is None  # tests have their own cache
    maps = report["map"]
    assert list(maps["gpu_us"]) == ["whole", "blocks", "values", "cells", "digits"]
    optional = {"decode_gpu_us_per_token", "load_host_mb", "peak_host_mb", *(f"map {name}" for name in maps["gpu_us"])}
    figures: dict[str, int | float | None]
    figures = {name: value for name, value in report.items() if isinstance(value, int | float | None)}
    figures |= {f"prefill {n}": value for n, value in report["prefill"].items()}
    figures |= {f"decode {n}": value for n, value in report["decode"].items()}
    figures |= {f"map {name}": value for name, value in {**maps, **maps["gpu_us"]}.items() if name != "gpu_us"}
    for name, value in figures.items():
        if value is None:
            assert name in optional, name
        elif name == "map live_tokens_per_second":
            assert value >= 0  # it may be 0 in such a short time
        else:
            assert value > 0, name
            assert math.isfinite(value), name


def test_counts_are_reported(report: dict[str, Any]) -> None:
    counts = report["counts"]
    assert counts.keys() == {
        "prefill", "decode", "decode_gpu", "decode_host", "decode_with_atlas", "atlas", "statistics", "frame",
        "frame_host", "map",
    }  # fmt: skip
    assert counts["prefill"].keys() == counts["decode"].keys() == {"16", "20"}
    assert counts["prefill"]["16"]["tokens"] == 16
    measured = report["decode_gpu_us_per_token"] is not None
    assert (counts["decode_gpu"]["repeats"] > 0) == measured
    for count in (*counts["prefill"].values(), *counts["decode"].values(), counts["decode_host"]):
        assert count["repeats"] >= 1
        assert count["tokens"] >= 1
    for count in (counts["frame"], counts["frame_host"]):
        assert count["repeats"] >= 1
        assert count["tokens"] >= 1
    maps = dict(counts["map"])
    assert maps.pop("live").keys() == {"frames", "tokens"}
    assert maps.keys() == {"open", "weights", "row", "whole", "blocks", "values", "cells", "digits"}
    assert all(
        (maps[name]["repeats"] > 0) == (report["map"]["gpu_us"][name] is not None) for name in report["map"]["gpu_us"]
    )
    for count in (*counts["decode"].values(), counts["decode_with_atlas"]):
        assert count["last"] - count["first"] == count["tokens"]


@pytest.mark.usefixtures("quick")
def test_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str], report: dict[str, Any]) -> None:
    model = tiny_checkpoint(tmp_path / "tiny.bin", TINY)
    before, out = tmp_path / "before.json", tmp_path / "speed.svg"
    before.write_text(json.dumps(report))
    files = ["--before", str(before), "--out", str(out)]
    assert main(["bench", "--quick", "--model", str(model), "--size", "64x64", *files]) == 0
    lines, changes = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert changes[0].startswith("before: tiny.bin, f32 on ")
    assert any(line.startswith("Prefill, 16 tokens ") for line in changes)
    assert b"<title>Speed of tiny.bin</title>" in out.read_bytes()
    values = [line[14:] for line in lines]
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "adapter", "self-test", "model", "prefill", "decode", "atlas", "statistics", "frame", "map", "memory"
    ]  # fmt: skip
    assert "       16       48  tokens" in values
    assert proof.NOT_PROVED in values
    assert all(len(line) <= 120 and line == line.rstrip() for line in lines)


def test_the_table_shows_the_proof() -> None:
    known = proof.Proved(1.2e-6, True, "2026-11-28T02:00:00Z")
    for proved, text in (
        (known, "proved: 1.2e-6"),
        (replace(known, ok=False), "FAILED; run doctor --prove for details"),
    ):
        assert bench_table.proof_text(proved.as_json()) == text
    assert bench_table.proof_text(None) == "not proved; run doctor --prove"


def test_an_impossible_context_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--context", "513"]) == 2
    assert capsys.readouterr() == ("", "atlas-viewer: --context 513: must be from 1 to 512, the model's positions\n")


def test_a_picture_never_replaces_what_the_command_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tmp_path / "before.svg"
    before.write_text('{"adapter": "a", "model": "m", "weights": "f32"}')
    assert main(["bench", "--before", str(before), "--out", str(before)]) == 1
    assert "this command reads it; choose another path" in capsys.readouterr().err
    assert main(["bench", "--out", str(tmp_path / "speed.png")]) == 2
    assert capsys.readouterr().err.endswith("speed.png: the output is SVG; give a name that ends in .svg\n")


def test_arguments() -> None:
    arguments = parse(["bench"])
    assert (arguments.before, arguments.out) == (None, None)
    assert (arguments.json, arguments.quick, arguments.compare, arguments.context, arguments.size) == (
        False,
        False,
        None,
        None,
        (1280, 720),
    )


# -- figures


@pytest.mark.parametrize(
    ("seconds", "least", "results"),
    [(math.inf, 1, [2, 3, 4]), (0.0, 1, [1]), (0.0, 2, [2]), (math.inf, 2, [2, 3, 4])],
)
def test_the_first_repeat_counts_only_when_it_is_the_only_one(seconds: float, least: int, results: list[float]) -> None:
    values = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    assert repeated(lambda: next(values), 3, seconds, least) == results


def test_sizes_are_clipped_without_duplicates() -> None:
    assert engine_bench.sizes((16, 64, 256, 1024), 200) == [16, 64, 200]
    assert engine_bench.sizes((16, 256, 1000), 1024) == [16, 256, 1000]


@pytest.mark.parametrize("context", [16, 30])
def test_the_context_is_in_the_middle(engine: Engine, tokenizer: Tokenizer, context: int) -> None:
    figure = engine_bench.decode_rate(engine, tokenizer, context, SHORT)
    assert figure.first >= 1
    assert figure.last - figure.first == figure.tokens
    assert abs(figure.first + figure.last - 2 * context) <= 1


@pytest.mark.parametrize("context", [1, 2, 47, 48, 1000])
def test_a_run_never_exceeds_the_context(engine: Engine, tokenizer: Tokenizer, context: int) -> None:
    figure = engine_bench.decode_rate(engine, tokenizer, context, SHORT)
    assert figure.value
    assert 1 <= figure.first < figure.last <= 48


def test_the_end_of_text_does_not_end_a_run(tokenizer: Tokenizer) -> None:
    engine = Engine.load(constant_model({tokenizer.end_of_text: 50.0}), LoadOptions(context=48))
    figure = engine_bench.decode_rate(engine, tokenizer, 30, SHORT)
    assert figure.value
    assert figure.tokens > 1
    assert tokenizer.end_of_text == 50256  # the shared tokenizer is unchanged


def test_no_figure_without_a_finite_logit(tokenizer: Tokenizer) -> None:
    engine = Engine.load(
        constant_model(dict.fromkeys(range(TINY.padded_vocabulary), math.nan)), LoadOptions(context=48)
    )
    assert engine_bench.decode_rate(engine, tokenizer, 30, SHORT).value is None


def test_measurements_that_take_too_long_are_left_out(engine: Engine, tokenizer: Tokenizer) -> None:
    hurried = Budget(seconds=1e-9, longest=1e-9, warm_up=0.0)
    assert engine_bench.prefill_ms(engine, 16, hurried) == Figure(None, tokens=16)
    figure = engine_bench.decode_rate(engine, tokenizer, 30, hurried)
    assert figure.value
    assert (figure.repeats, figure.prompt_pass) == (1, False)
    assert engine_bench.decode_rate(engine, tokenizer, 30, Budget(seconds=2.0, warm_up=0.0)).prompt_pass


def test_the_strip_is_painted_during_generation(engine: Engine, tokenizer: Tokenizer) -> None:
    strip = StripPass(engine)
    rows: list[int] = []

    def paint() -> None:
        rows.append(engine.registry.rows)
        strip.update()

    figure = engine_bench.decode_rate(engine, tokenizer, 30, Budget(seconds=1.0, warm_up=0.0), paint)
    assert figure.value
    assert len(rows) >= figure.repeats
    assert all(figure.first <= count <= figure.last for count in rows)
    assert engine_bench.atlas_us(engine, paint, SHORT).value
    assert strip.read().any()


def test_paintings_do_not_overlap(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a painting that never finishes, there are no others."""

    class Never:
        done = False

    painted = []
    monkeypatch.setattr(engine_bench, "work_done", lambda _: Never())
    figure = engine_bench.decode_rate(engine, tokenizer, 30, SHORT, lambda: painted.append(1))
    assert figure.value
    assert len(painted) == figure.repeats  # only those before the timed part


# -- the map


def test_the_measured_views_of_the_map_match_their_names() -> None:
    tensors = registry(STORIES, 256)
    layout = map_layout(tensors, 256)
    views = map_bench.map_views(tensors, layout, (1280, 720))
    levels = {name: level_of(view.scale, layout.base, LEVELS) for name, view in views.items()}
    assert levels["whole"]
    assert levels == levels | {"blocks": 0, "values": None, "cells": None, "digits": None}
    assert {name for name, view in views.items() if digit_style(1 / view.scale)} == {"digits"}
    for name, view in views.items():
        x, y = (round(coordinate) for coordinate in view.cell_at(640, 360))
        assert 0 < x < layout.width
        assert 0 < y < layout.height
        assert name not in ("cells", "digits") or layout.cell_at(x, y) is not None


def test_the_number_of_rows_is_restored(engine: Engine, tokenizer: Tokenizer) -> None:
    engine_bench.decode_rate(engine, tokenizer, 30, SHORT)
    rows = engine.registry.rows
    passes = MapPass.load(engine, digit_glyphs(), map_layout(engine.registry, 48))
    figure = map_bench.row_us(passes, SHORT)
    assert figure.value
    assert engine.registry.rows == rows
    assert passes.pyramid.update() == []
