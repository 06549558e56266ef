"""The picture of `bench`: bars on one scale, every figure with its number, and nothing over anything else."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from atlas_viewer.export.bench_picture import bench_picture
from atlas_viewer.media.drawing import Drawing, Words
from atlas_viewer.media.svg import svg
from compute.bench.figures import GROUPS, figures

SCHEMA = Path(__file__).parents[3] / "atlas_viewer" / "schemas" / "bench.json"
EXAMPLE: dict[str, Any] = json.loads(SCHEMA.read_text())["examples"][0]
LLAMA = {
    "version": "6123 (abc)", "device": "a GPU", "prefill": {"16": 94.274}, "decode": {"16": 14.4059},
    "ratios": {"prefill": {"16": 2.0}, "decode": {"16": 2.0}},
}  # fmt: skip
RATES = {"generate_tokens_per_second": 10.0, "static_tokens_per_second": 98.8816}
TORCH = {
    "version": "2.11", "transformers": "5.17", "device": "a GPU", "context": 64, "static_kind": "eager",
    "fp16": RATES, "fp32": RATES,
}  # fmt: skip
RATIOS = {name: {"generate": 4.94, "static": 0.5} for name in ("fp16", "fp32")}
SLOWER = EXAMPLE | {"prefill": {n: ms / 2 for n, ms in EXAMPLE["prefill"].items()}}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "plain": (EXAMPLE, None),
    "before": (EXAMPLE, SLOWER),
    "llama": (EXAMPLE | {"llama": LLAMA}, None),
    "torch": (EXAMPLE | {"torch": TORCH, "ratios": RATIOS}, SLOWER),
    "no GPU times": (EXAMPLE | {"decode_gpu_us_per_token": None}, None),
    "long": (EXAMPLE | {"model": "m" * 300, "adapter": "a\n" * 300}, None),
}


def texts(drawing: Drawing) -> list[str]:
    return [words.text for words in drawing.words]


def extent(words: Words) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    return words.left, words.y - 0.75 * words.size, words.left + words.width, words.y + 0.2 * words.size


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_overlaps_or_leaves_the_picture(name: str) -> None:
    drawing = bench_picture(*VARIANTS[name])
    shown = [(words.text, extent(words)) for words in drawing.words]
    for text, (left, top, right, bottom) in shown:
        assert left >= 0 and right <= drawing.width and top >= 0 and bottom <= drawing.height, text  # noqa: PT018
    for (one, a), (other, b) in combinations(shown, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)
    for box in drawing.boxes:
        assert box.x >= 0 and box.x + box.width <= drawing.width and box.y + box.height <= drawing.height  # noqa: PT018
    ElementTree.fromstring(svg(drawing))  # our own


def test_every_figure_has_a_bar_on_the_scale_of_its_panel() -> None:
    drawing = bench_picture(EXAMPLE)
    bars = {box.hint: box.width for box in drawing.boxes if box.hint}
    assert len(bars) == sum(len(figures(EXAMPLE, group)) for group in GROUPS)
    assert bars["Prefill, 16 tokens: 47.1 ms"] / bars["Prefill, 64 tokens: 346 ms"] == pytest.approx(47.137 / 345.586)
    assert {"47.1", "346", "22,956"} <= set(texts(drawing))


def test_changes_have_a_bar_and_a_percentage() -> None:
    drawing = bench_picture(EXAMPLE, SLOWER)
    bars = {box.hint: box.width for box in drawing.boxes if box.hint}
    assert bars["Prefill, 64 tokens, before: 173 ms"] == pytest.approx(bars["Prefill, 64 tokens: 346 ms"] / 2)
    worse = next(words for words in drawing.words if words.text == "+100 %")
    same = next(words for words in drawing.words if words.text == "0 %")
    assert (worse.bold, same.bold) == (True, False)
    assert worse.color != same.color


def test_others_are_next_to_ours() -> None:
    llama = bench_picture(EXAMPLE | {"llama": LLAMA})
    bars = {box.hint: box.width for box in llama.boxes if box.hint}
    assert bars["Prefill, 16 tokens, llama.cpp: 94.3 ms"] == pytest.approx(2 * bars["Prefill, 16 tokens: 47.1 ms"])
    assert texts(llama).count("ours 2x") == 2
    torch = bench_picture(EXAMPLE | {"torch": TORCH, "ratios": RATIOS})
    bars = {box.hint: box.width for box in torch.boxes if box.hint}
    assert bars["PyTorch, fp16, eager: 98.9 tokens/s"] == pytest.approx(2 * bars["this program: 49.4 tokens/s"])
    assert texts(torch).count("ours 0.5x") == 2
