"""`edits=` in the Python API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import atlas_viewer
from atlas_viewer import Model, TensorNameError, UsageError
from compute.selftest import reference
from compute.selftest.models import SMALL, loud_model, some_tokens

from helpers.gpu import model_of

pytestmark = pytest.mark.gpu

SOURCE = loud_model(SMALL, scale=0.2)
TOKENS = some_tokens(SMALL, 12)
VECTOR = np.random.default_rng(1).normal(size=SMALL.channels).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(SOURCE)


def test_every_way_to_give_edits(model: Model) -> None:
    wanted = ["h.0.attn.out[head=1] = 0"]
    runs = [
        model.run(TOKENS, edits=edits) for edits in (wanted, wanted[0], (wanted[0],), [("h.0.attn.out[head=1] =", 0)])
    ]
    for run in runs:
        assert run.edits == wanted
        np.testing.assert_array_equal(run.logits, runs[0].logits)
    assert np.abs(runs[0].logits - model.run(TOKENS).logits).max() > 0.1
    assert model.run(TOKENS).edits == []


def test_a_vector_is_added_to_the_stream(model: Model) -> None:
    plain = model.run(TOKENS, keep="*")
    run = model.run(TOKENS, keep="*", edits=[("h.0.resid_post[3] +=", 2 * VECTOR)])
    np.testing.assert_allclose(run["h.0.resid_post"][3], plain["h.0.resid_post"][3] + 2 * VECTOR, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(run["blocks.1.hook_resid_pre"], run["h.0.resid_post"])
    np.testing.assert_array_equal(run["h.1.resid_post"][:3], plain["h.1.resid_post"][:3])
    assert np.abs(run["h.1.resid_post"][3:] - plain["h.1.resid_post"][3:]).max(axis=1).min() > 0


def test_names_of_the_residual_stream_are_one_tensor(model: Model) -> None:
    names = ("h.1.resid_pre", "h.0.resid_post", "blocks.1.hook_resid_pre", "blocks.0.hook_resid_post")
    runs = [model.run(TOKENS, edits=f"{name}[2:, 5] *= 3").logits for name in names]
    for other in runs[1:]:
        np.testing.assert_array_equal(other, runs[0])
    first = [model.run(TOKENS, edits=f"{name}[4] = 0").logits for name in ("h.0.resid_pre", "embed.sum")]
    np.testing.assert_array_equal(first[0], first[1])


def test_queries_keys_and_values_are_parts_of_qkv(model: Model) -> None:
    c = SMALL.channels
    for part, name in enumerate("qkv"):
        run = model.run(TOKENS, keep="h.1.attn.qkv", edits=f"h.1.attn.{name}[head=2, pos=4] = 7")
        changed = np.argwhere(run["h.1.attn.qkv"] == 7)
        assert changed.tolist() == [[4, part * c + 24 + i] for i in range(12)]
        theirs = model.run(TOKENS, edits=f"blocks.1.attn.hook_{name}[4, 2] = 7").logits
        np.testing.assert_array_equal(theirs, run.logits)


def test_scores_and_pattern_are_those_that_attention_used(model: Model) -> None:
    plain = model.run(TOKENS, keep="h.0.attn.*")
    knockout = model.run(TOKENS, keep="h.0.attn.*", edits="h.0.attn.scores[head=1, pos=5, key=2] = -inf")
    weights = plain["h.0.attn.pattern"][1, 5].copy()
    weights[2] = 0
    np.testing.assert_allclose(knockout["h.0.attn.pattern"][1, 5], weights / weights.sum(), rtol=0, atol=1e-5)
    assert np.isneginf(knockout["h.0.attn.scores"][1, 5, 2])
    removed = model.run(TOKENS, keep="h.0.attn.*", edits="h.0.attn.pattern[head=1, pos=5, key=2] = 0")
    np.testing.assert_allclose(removed["h.0.attn.pattern"][1, 5], weights, rtol=0, atol=1e-6)
    values = removed["h.0.attn.qkv"][:, 2 * SMALL.channels + 12 :][:, :12]
    np.testing.assert_allclose(removed["h.0.attn.out"][5, 12:24], weights @ values, rtol=0, atol=1e-4)
    last = model.run(TOKENS, keep="h.0.attn.scores", rows="last", edits="h.0.attn.scores[0, -1, 3] = 9")
    assert last["h.0.attn.scores"][0, 0, 3] == 9
    empty = model.run(TOKENS, keep="h.0.attn.*", edits="h.0.attn.scores[1, 4] = -inf")
    assert empty.empty_rows == 1
    assert not empty["h.0.attn.out"][4, 12:24].any()


def test_a_mean_is_taken_with_all_other_edits(model: Model) -> None:
    other = "h.0.mlp.c_proj[:, 2] = 5"
    rows = model.run(TOKENS, keep="h.1.mlp.gelu", edits=other)["h.1.mlp.gelu"]
    run = model.run(TOKENS, keep="*", edits=["h.1.mlp.gelu = mean", "h.0.attn.out[:, :12] = mean", other])
    plain = model.run(TOKENS, keep="h.0.attn.out", edits=other)["h.0.attn.out"]
    np.testing.assert_allclose(run["h.0.attn.out"][:, :12], np.tile(plain[:, :12].mean(0), (12, 1)), rtol=0, atol=1e-5)
    exact = model.run(TOKENS, keep="h.1.mlp.gelu", edits=[("h.0.attn.out[:, :12] =", plain[:, :12].mean(0)), other])
    mean = exact["h.1.mlp.gelu"].mean(0)
    np.testing.assert_allclose(run["h.1.mlp.gelu"], np.tile(mean, (12, 1)), rtol=0, atol=1e-4)
    assert np.abs(mean - rows.mean(0)).max() > 1e-3
    generation = model_of(SOURCE).run(TOKENS[:5], keep="h.1.mlp.gelu", edits="h.1.mlp.gelu[2] = mean")
    assert generation.edits == ["h.1.mlp.gelu[2] = mean"]


def test_a_batch_equals_its_texts_alone(model: Model) -> None:
    texts = [TOKENS[:5], TOKENS[3:8], TOKENS[:7], TOKENS[1:6]]
    for edits in (["h.0.resid_post[-1] = 0", "logits[2:, 5] += 3"], ["h.1.mlp.gelu[1:] = mean"]):
        for rows in ("all", "last"):
            together = model.run(texts, keep="h.1.attn.pattern", rows=rows, edits=edits)
            for text, run in zip(texts, together, strict=True):
                alone = model.run(text, keep="h.1.attn.pattern", rows=rows, edits=edits)
                np.testing.assert_allclose(run.logits, alone.logits, rtol=0, atol=1e-4)
                np.testing.assert_allclose(run["h.1.attn.pattern"], alone["h.1.attn.pattern"], rtol=0, atol=1e-5)


def test_weights_change_and_come_back(model: Model) -> None:
    plain = model.run(TOKENS)
    for edit in ("wte[3, :5] *= 2", "wte.weight[3, :5] *= 2"):
        run = model.run(TOKENS, edits=edit)
        assert run.no_effect == []
    changed = {name: SOURCE.tensor(name).copy() for name in model.description.weights}
    changed["wte"][3, :5] *= 2
    exact = reference.forward(type(SOURCE)("edited", SMALL, changed), TOKENS)["logits"][: SMALL.vocabulary]
    np.testing.assert_allclose(run.logits[-1], exact, rtol=0, atol=2e-3)
    np.testing.assert_array_equal(model.run(TOKENS).logits, plain.logits)


def test_an_edit_without_effect_is_named(model: Model) -> None:
    edits = ["h.0.attn.out *= 1", "h.0.attn.out[head=0] = 0", "h.1.resid_post[:, 5:5] = 3"]
    assert model.run(TOKENS, edits=edits).no_effect == [edits[0], edits[2]]
    assert model.score(TOKENS, edits=edits).no_effect == [edits[0], edits[2]]
    assert model.score(TOKENS, edits=edits).edits == edits


@pytest.mark.parametrize(
    ("edit", "error", "part"),
    [
        ("h.0.nothing = 0", TensorNameError, "the nearest are"),
        ("h.0.attn.out[head=3] = 0", UsageError, "has 3 heads"),
        (("h.0.resid_post =", np.ones(5)), UsageError, "the values are 5, but the edit selects 12 x 36"),
        (("h.0.resid_post =", np.full(36, np.nan)), UsageError, "NaN"),
        (("h.0.resid_post =", np.full(36, 1e300)), UsageError, "exceed float32"),
        (("h.0.resid_post =", np.ones((11, 36))), UsageError, "the values are 11 x 36"),
        ("h.0.resid_post[12] = 0", UsageError, "the text has 12 tokens"),
        ("h.0.attn.out = run(none.atlas, 0)", atlas_viewer.AtlasError, "none.atlas"),
    ],
)
def test_mistakes_leave_the_model_as_it_was(model: Model, edit: object, error: type[Exception], part: str) -> None:
    plain = model.run(TOKENS).logits
    for call in (model.run, model.score):
        with pytest.raises(error) as raised:
            call(TOKENS, edits=[edit])
        assert part in str(raised.value)
        assert "\n" not in str(raised.value)
    np.testing.assert_array_equal(model.run(TOKENS).logits, plain)


def test_generation_continues_the_edited_text(model: Model, tmp_path: Path) -> None:
    stories = atlas_viewer.load("stories", context=64)
    prompt = "Once upon a time"
    edits = ["h.5.mlp.gelu[-1:] = 0", "h.2.attn.out[head=4] *= 0.5"]
    generation = stories.generate(prompt, max_new_tokens=6, temperature=0, edits=edits)
    assert generation.edits == edits
    assert generation.no_effect == []
    tokens = generation.tokens
    # The last position of the prompt stays what it was while the text grows.
    whole = stories.run(tokens[:-1], edits=["h.5.mlp.gelu[3:] = 0", edits[1]])
    assert whole.logits[3:].argmax(axis=1).tolist() == tokens[4:]
    assert stories.generate(prompt, max_new_tokens=6, temperature=0).edits == []
