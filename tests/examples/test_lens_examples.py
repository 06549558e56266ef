"""The examples about lens files: a tuned lens has a lower loss everywhere, and a converted one means the same."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import atlas_viewer as av
from compute.lens.lens_file import read_lens_file
from compute.models.gpt2 import gpt2
from compute.selftest.models import SMALL

from helpers.paths import ROOT

TRAIN, CONVERT = (ROOT / "examples" / name for name in ("train_tuned_lens.py", "convert_lens.py"))


@pytest.mark.gpu
def test_a_tuned_lens_has_a_lower_loss_at_every_point(tmp_path: Path) -> None:
    model = av.load("stories", context=192)
    arrays, losses = runpy.run_path(str(TRAIN))["train"](model, 9, 0.1)
    assert [point for point, _, _ in losses] == ["embed.sum", *(f"h.{layer}.resid_post" for layer in range(7))]
    for point, plain, tuned in losses:
        assert 0 < tuned < plain, point
    path = tmp_path / "tuned.npz"
    np.savez(path, **arrays)
    text = "Once upon a time, there was a little girl named"
    lens, plain = model.lens(text, lens_file=path), model.lens(text)
    assert lens.translated == lens.points[:-1]
    assert np.array_equal(lens.top_tokens[-1], plain.top_tokens[-1])
    assert [check.ok for check in lens.checks] == [True]
    # The divergence that the example computes is that of the lens on the GPU.
    head = runpy.run_path(str(TRAIN))["Head"](model)
    weight, bias = arrays["h.3.resid_post.weight"], arrays["h.3.resid_post.bias"]
    stream = model.run(text, keep="h.3.resid_post")["h.3.resid_post"] @ weight.T + bias
    expected = np.sort(head.log_probabilities(stream), axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(np.log(lens.top_probabilities[4]), expected, atol=2e-3)


def test_the_divergence_of_a_distribution_from_itself_is_0() -> None:
    divergence = runpy.run_path(str(TRAIN))["divergence"]
    one, other = np.log([[0.5, 0.25, 0.25]]), np.log([[0.25, 0.5, 0.25]])
    assert divergence(one, one) == 0
    assert divergence(one, other) == pytest.approx(0.25 * np.log(2))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_converted_lens_contains_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    source, target = tmp_path / "in.safetensors", tmp_path / f"out{suffix}"
    correction = np.random.default_rng(0).normal(size=(SMALL.channels, SMALL.channels)).astype(np.float32)
    bias = np.arange(SMALL.channels, dtype=np.float32)
    save_file({"h.0.resid_post.weight": correction, "h.0.resid_post.bias": bias}, source)
    monkeypatch.setattr("sys.argv", ["convert_lens.py", str(source), str(target)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CONVERT), run_name="__main__")
    assert not ended.value.code
    weight, read_bias = read_lens_file(target, gpt2(SMALL)).entries["h.0.resid_post"]
    np.testing.assert_allclose(weight, correction + np.eye(SMALL.channels), atol=1e-6)
    assert np.array_equal(read_bias, bias)
    assert np.array_equal(load_file(source)["h.0.resid_post.weight"], correction), "the source stays as it was"
