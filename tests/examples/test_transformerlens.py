"""The page on TransformerLens: our half of every task is executed, and the names are those of the model."""

from __future__ import annotations

import ast
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from helpers.documents import Block, blocks
from helpers.paths import ROOT

PAGE = ROOT / "examples" / "transformerlens.md"
OURS, THEIRS = "atlas", "transformerlens"


def half(about: str) -> list[Block]:
    return [block for block in blocks(PAGE) if block.about == about]


def test_every_task_is_shown_in_both() -> None:
    assert [block.about for block in blocks(PAGE)] == [THEIRS, OURS] * 5
    for block in half(THEIRS):
        ast.parse(block.text)


@pytest.mark.gpu
def test_our_half_does_the_tasks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(mpl, "rcParams", mpl.rcParams.copy())
    mpl.use("Agg")
    found: dict[str, Any] = {}
    for block in half(OURS):
        exec(compile(block.text, str(block), "exec"), found)
    model, run = found["model"], found["run"]
    count = len(run.tokens)
    assert np.array_equal(found["residual"], found["same"])
    assert found["residual"].shape == (count, model.config.channels)
    assert found["pattern"].shape == (count, count)
    assert len(found["words"]) == count
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].endswith(repr(model.tokenizer.token_text(found["token"])))
    assert np.exp(-np.mean(found["logprobs"])) == pytest.approx(found["perplexity"])
    assert found["text"].startswith(found["prompt"])
    assert found["contribution"] == pytest.approx(removed(found), abs=2e-3)


def removed(found: dict[str, Any]) -> float:
    """How much the logit falls when the head's output is taken out of the stream before a frozen final layer norm."""
    model, run, token = found["model"], found["run"], found["token"]
    stream = run[f"h.{model.config.layers - 1}.resid_post"][-1].astype(np.float64)
    start = found["head"] * found["size"]
    output = np.zeros(model.config.channels)
    output[start : start + found["size"]] = run[f"h.{found['layer']}.attn.out"][-1, start : start + found["size"]]
    without = stream - model.weights[f"h.{found['layer']}.attn.c_proj.weight"].astype(np.float64) @ output
    normalized = (without - without.mean()) / np.sqrt(stream.var() + 1e-5) * model.weights["ln_f.weight"]
    rest = (normalized + model.weights["ln_f.bias"]) @ model.weights["wte"][token]
    return float(run.logits[-1, token] - rest)
