"""Comparisons of passes in Python: loaded models, long texts, and values that are not finite."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import atlas_viewer as av
from compute.api.differences import Differing, divergence, token_changes
from compute.api.load import loaded
from compute.forward import whole_pass
from compute.forward.load_options import LoadOptions
from compute.models.config import ModelConfig
from compute.selftest.models import loud_model, some_tokens

LONG = ModelConfig(layers=1, heads=2, channels=8, positions=300, vocabulary=61, padded_vocabulary=64)


def model(seed: int, config: ModelConfig = LONG) -> av.Model:
    source = loud_model(config, seed=seed)
    return loaded(lambda: source, LoadOptions(config.positions, weights="f32", measured=False))


@pytest.mark.gpu
def test_two_models_and_texts_whose_logits_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_pass, "_PIECE", 1)  # as many rows as a program takes
    one, other = model(0), model(1)
    a, b = some_tokens(LONG, 290), some_tokens(LONG, 230, seed=1)
    found = av.compare(one, other, prompt=a, prompt_b=b, edits="h.0.mlp.gelu[:, 3] = 1")
    assert found.positions == range(230)
    runs = one.run(a, keep="*", edits="h.0.mlp.gelu[:, 3] = 1"), other.run(b, keep="*")
    for number, tensor in enumerate(found.tensors):
        x, y = (run[tensor.name].astype(np.float64) for run in runs)
        if x.ndim == 3:
            x, y = x[:, :230, :230], y[:, :230, :230]
        x, y = x[..., :230, :], y[..., :230, :]
        assert tensor.shape == x.shape
        assert tensor.max_abs == pytest.approx(np.abs(x - y).max())
        assert tensor.mean_abs == pytest.approx(np.abs(x - y).mean())
        assert tensor.first == tuple(np.argwhere(x != y)[0])
        rows = np.abs(x - y).max(axis=(0, 2) if x.ndim == 3 else 1) / np.abs(x).max()
        np.testing.assert_allclose(found.rows[number], rows)
    p, q = (np.exp(run.logits[-1].astype(np.float64)) for run in runs)
    p, q = p / p.sum(), q / q.sum()
    assert found.kl == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-4)
    assert found.report_a.changed == (290,)


@pytest.mark.gpu
def test_bad_input_is_refused() -> None:
    small = model(0)
    with pytest.raises(av.UsageError, match="needs a text; give prompt"):
        av.compare(small, small)
    with pytest.raises(av.UsageError, match="b: 3 is neither a model nor a step"):
        av.compare(small, 3, prompt=[1])
    with pytest.raises(av.UsageError, match="have different shapes"):
        av.compare(small, "stories", prompt=[1])
    with pytest.raises(av.UsageError, match="the context 300"):
        av.compare(small, small, prompt=[1] * 301)
    with pytest.raises(av.UsageError, match="there is no head 2"):
        av.compare(small, small, prompt=[1], edits_b="h.0.attn.out[head=2] = 0")
    with pytest.raises(av.AtlasError, match=r"nowhere\.atlas"):
        av.compare(small, Path("nowhere.atlas:3"), prompt=[1])


@pytest.mark.gpu
def test_a_full_disk_is_known_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = model(0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    with pytest.raises(av.AtlasError, match="the disk has 5 bytes free; set TMPDIR to a folder with more space"):
        av.compare(small, small, prompt=[1])
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite() -> None:
    a = np.array([[1, np.nan, np.inf], [2, 3, -np.inf]], np.float32)
    same = Differing("x", a.shape, 4)
    same.add(a, a.copy())
    assert (same.result().max_abs, same.result().relative, same.result().first) == (0, 0, None)
    other = a.copy()
    other[1, 2] = 0
    differing = Differing("x", a.shape, 4)
    differing.add(a[:1], other[:1])
    differing.add(a[1:], other[1:], 1)
    assert differing.result().first == (5, 2)
    assert differing.result().max_abs == math.inf
    zero = Differing("x", (1, 1), 0)
    zero.add(np.zeros((1, 1)), np.ones((1, 1)))
    assert zero.result().relative == math.inf


def test_divergence_of_logits() -> None:
    a, b = np.array([0.0, 1.0, -np.inf]), np.array([1.0, 0.0, 0.0])
    assert divergence(a, a) == 0
    assert divergence(b, a) == math.inf  # B has no probability for a token of A
    p, q = np.exp(a) / np.exp(a).sum(), np.exp(b) / np.exp(b).sum()
    assert divergence(a, b) == pytest.approx(float((p[:2] * np.log(p[:2] / q[:2])).sum()))
    assert math.isnan(divergence(np.array([np.nan, 1.0]), np.zeros(2)))
    changes = token_changes(a, b, 2)
    assert [change.token for change in changes] == [1, 0]
    assert changes[0].probability_a == pytest.approx(p[1])
    assert token_changes(a, a, 2) == []
