"""Patching maps and ablations against float64 loops, cell by cell, and what the program checks of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import atlas_viewer as av
from compute.api.load import loaded
from compute.forward.load_options import LoadOptions
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.selftest.models import SMALL, loud_model, some_tokens
from compute.weights.checkpoint import open_model

from helpers.patching_loop import Loop

pytestmark = pytest.mark.gpu

LOGIT = 4e-3  # of a difference of two logits
ODD = ModelConfig(layers=3, heads=5, channels=20, positions=23, vocabulary=61, padded_vocabulary=64)
CLEAN, CORRUPT = "One day, Tom had a red ball", "One day, Ben had a red ball"
OVER = ("resid_pre", "attn", "mlp", "heads")


def small(config: ModelConfig) -> tuple[av.Model, Loop]:
    source = loud_model(config, scale=0.2)
    model = loaded(lambda: source, LoadOptions(config.positions, weights="f32", measured=False))
    return model, Loop(reference.in_float64(source), 5, 7)


@pytest.fixture(scope="module")
def stories_model() -> av.Model:
    return av.load("stories", context=64)


@pytest.fixture(scope="module")
def stories_loop() -> Loop:
    return Loop(reference.in_float64(open_model("stories")), 4186, 3932)  # " Tom", " Ben"


def expect_map(loop: Loop, found: av.Patching, cells: Sequence[tuple[int, int]], edits: Sequence[str] = ()) -> None:
    """The cells of a map, and its differences, are what a loop over the float64 model gives."""
    clean, corrupt = loop.number(found.clean, edits), loop.number(found.corrupt, edits)
    assert found.clean_difference == pytest.approx(clean, abs=LOGIT)
    assert found.corrupt_difference == pytest.approx(corrupt, abs=LOGIT)
    texts = (found.corrupt, found.clean) if found.direction == "denoise" else (found.clean, found.corrupt)
    source = loop.run(texts[1], edits)
    for layer, index in cells:
        patched = loop.number(texts[0], [*edits, loop.cell(found.over, layer, index, source)])
        here = found.values[layer, index] * (found.clean_difference - found.corrupt_difference)
        assert here + found.corrupt_difference == pytest.approx(patched, abs=LOGIT), (found.over, layer, index)


@pytest.mark.parametrize("config", [SMALL, ODD], ids=["small", "odd"])
@pytest.mark.parametrize("direction", ["denoise", "noise"])
def test_every_cell_equals_the_float64_loop(config: ModelConfig, direction: str) -> None:
    model, loop = small(config)
    clean = some_tokens(config, 9)
    corrupt = [*clean[:3], *some_tokens(config, 2, seed=1), *clean[5:]]
    for over in OVER:
        found = model.patch(clean, corrupt, target=5, against=7, over=over, direction=direction)  # type: ignore[arg-type]
        assert found.values.shape == (config.layers, config.heads if over == "heads" else 9)
        expect_map(loop, found, list(np.ndindex(*found.values.shape)))
        assert [check.ok for check in found.checks] == [True]
        assert 0 < found.error < 1e-2


@pytest.mark.parametrize("over", OVER)
def test_stories_equals_the_float64_loop(stories_model: av.Model, stories_loop: Loop, over: str) -> None:
    found = stories_model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", over=over)  # type: ignore[arg-type]
    last = found.values.shape[1] - 1
    expect_map(stories_loop, found, [(0, 3), (0, last), (3, 0), (6, 3), (7, last)])


def test_a_map_with_edits_in_force(stories_model: av.Model, stories_loop: Loop) -> None:
    edits = ["h.6.attn.out[head=3] = 0", "h.1.attn.pattern[head=2, pos=4, key=1] = 0", "wpe[2] *= 0.5"]
    found = stories_model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", over="mlp", edits=edits)
    assert found.report.edits == tuple(edits)
    expect_map(stories_loop, found, [(0, 3), (7, 7)], edits)


def test_positions_before_the_first_difference_change_nothing(stories_model: av.Model) -> None:
    found = stories_model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", control=True)
    assert (found.values[:, :3] == 0).all()
    assert (found.changed[:, :3] == 0).all()
    assert (found.changed[1:, 3:] == 192).all()
    assert found.values[0, 3] == pytest.approx(1, abs=1e-4)  # the only token that differs
    assert found.control is not None
    assert (found.control[:, :3] == 0).all()
    assert np.abs(found.control[0, 3]) < 0.9
    assert found.error < 1e-3


def test_runs_with_the_same_difference_have_no_values(stories_model: av.Model) -> None:
    found = stories_model.patch(CLEAN, CLEAN, target=" Tom", against=" Ben", over="attn")
    assert found.clean_difference == found.corrupt_difference
    assert np.isnan(found.values).all()
    assert (found.changed == 0).all()
    assert np.isnan(found.error)


def test_a_text_as_long_as_the_context(stories_loop: Loop) -> None:
    model = av.load("stories", context=8)  # one copy per pass
    found = model.patch(CLEAN, CORRUPT, target=" Tom", against=" Ben", over="heads")
    expect_map(stories_loop, found, [(6, 3), (0, 4)])


def test_progress_and_an_end_before_the_last_pass(stories_model: av.Model) -> None:
    seen: list[tuple[int, int]] = []
    before = stories_model.run(CLEAN).logits
    stories_model.patch(CLEAN, CORRUPT, target=11, against=12, over="heads", progress=lambda *at: seen.append(at))
    total = 8 + 48 + 4
    assert seen == [(number, total) for number in range(1, total + 1)]

    def stop(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stories_model.patch(CLEAN, CORRUPT, target=11, against=12, over="heads", progress=stop)
    assert np.array_equal(stories_model.run(CLEAN).logits, before)


@pytest.mark.parametrize("config", [SMALL, ODD], ids=["small", "odd"])
def test_ablation_equals_the_float64_loop(config: ModelConfig) -> None:
    model, loop = small(config)
    text = some_tokens(config, 7)
    found = model.ablate(text, target=5, against=7)
    assert found.logit == pytest.approx(loop.number(text), abs=LOGIT)
    for layer, head in np.ndindex(*found.heads.shape):
        ablated = loop.number(text, [f"h.{layer}.attn.out[head={head}] = 0"])
        assert found.logit + found.heads[layer, head] == pytest.approx(ablated, abs=LOGIT)
    for layer in range(config.layers):
        ablated = loop.number(text, [f"h.{layer}.mlp.c_proj = 0"])
        assert found.logit + found.mlps[layer] == pytest.approx(ablated, abs=LOGIT)
    assert found.checks[0].ok
    alone = model.ablate(text, target=5)
    assert alone.logit == pytest.approx(float(model.run(text).logits[-1, 5]), abs=1e-4)


def test_ablation_to_the_mean_equals_the_float64_loop() -> None:
    model, loop = small(ODD)
    text = some_tokens(ODD, 7)
    run = loop.run(text)
    found = model.ablate(text, target=5, against=7, to="mean")
    size = ODD.head_size
    for layer, head in np.ndindex(*found.heads.shape):
        name = f"h.{layer}.attn.out"
        mean = run[name][:, head * size : (head + 1) * size].mean(axis=0)
        ablated = loop.number(text, [(f"{name}[head={head}] =", mean)])
        assert found.logit + found.heads[layer, head] == pytest.approx(ablated, abs=LOGIT)
    for layer in range(ODD.layers):
        name = f"h.{layer}.mlp.c_proj"
        ablated = loop.number(text, [(f"{name} =", run[name].mean(axis=0))])
        assert found.logit + found.mlps[layer] == pytest.approx(ablated, abs=LOGIT)
    assert (found.heads_changed > 0).all()
    with pytest.raises(av.UsageError, match=r"to.*must be one of zero, mean"):
        model.ablate(text, target=5, to="none")  # type: ignore[arg-type]


def test_ablation_of_a_last_layer_head_is_its_attribution_but_for_mlp_and_norm(stories_model: av.Model) -> None:
    """Without what the head does to the last MLP and to the scale of the final norm, both are the same number."""
    attribution = stories_model.attribute(CLEAN, target=" Tom")
    run = stories_model.run(CLEAN, keep=["h.7.mlp.c_proj", "ln_final.hook_scale"])
    bias = next(part.value for part in attribution.parts if part.name == "ln_f.bias")
    for head in range(6):
        (part,) = [part for part in attribution.parts if (part.name, part.head) == ("h.7.attn", head)]
        ablated = stories_model.run(
            CLEAN,
            keep=["ln_final.hook_scale"],
            edits=[f"h.7.attn.out[head={head}] = 0", ("h.7.mlp.c_proj =", run["h.7.mlp.c_proj"])],
        )
        scale = ablated["ln_final.hook_scale"][-1, 0] / run["ln_final.hook_scale"][-1, 0]
        left = (float(ablated.logits[-1, 4186]) - bias) * scale + bias
        assert attribution.logit - left == pytest.approx(part.value, abs=2e-3)


def test_bad_input_is_refused(stories_model: av.Model) -> None:
    patch = stories_model.patch
    with pytest.raises(av.UsageError, match="the clean text has 8 tokens, the corrupt one 1"):
        patch(CLEAN, "One", target=1, against=2)
    with pytest.raises(av.UsageError, match=r"over.*'embed'.*must be one of resid_pre, attn, mlp, heads"):
        patch(CLEAN, CORRUPT, target=1, against=2, over="embed")  # type: ignore[arg-type]
    with pytest.raises(av.UsageError, match=r"direction.*must be one of denoise, noise"):
        patch(CLEAN, CORRUPT, target=1, against=2, direction="up")  # type: ignore[arg-type]
    with pytest.raises(av.UsageError, match="corrupt: the text has 80 tokens, the context 64"):
        patch(CLEAN, [1] * 80, target=1, against=2)
    with pytest.raises(av.UsageError, match="against"):
        patch(CLEAN, CORRUPT, target=1, against=" two tokens")
    with pytest.raises(av.TensorNameError, match="no tensor has this name"):
        patch(CLEAN, CORRUPT, target=1, against=2, edits="h.8.resid_post = 0")
    with pytest.raises(av.UsageError, match="target"):
        stories_model.ablate(CLEAN, target=50257)
